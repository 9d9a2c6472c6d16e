// Where things are on the player's track: one bar for each leg, as wide as a damped count of its stops.

/** A leg of forty hops is not twenty times as wide as one of two. */
export const share = (stops: number) => Math.sqrt(stops)

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + share(count), 0) || 1

/** Place of the thumb, 0 to 1, for the stop at `position` among all shown. */
export function thumbAt(counts: readonly number[], position: number): number {
  const all = total(counts)
  let before = 0
  let left = position
  for (const count of counts) {
    if (left < count) return Math.max(0, Math.min(1, (before + (share(count) * (left + 1)) / count) / all))
    left -= count
    before += share(count)
  }
  return 1
}

/** The stop whose stretch of the track holds this place. */
export function stopAt(counts: readonly number[], place: number): number {
  const all = total(counts)
  let at = Math.max(0, Math.min(1, place)) * all
  let before = 0
  for (const count of counts) {
    const wide = share(count)
    if (at <= wide) return before + Math.max(0, Math.min(count - 1, Math.ceil((at / wide) * count) - 1))
    at -= wide
    before += count
  }
  return Math.max(0, before - 1)
}
