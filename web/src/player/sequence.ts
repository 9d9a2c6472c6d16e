// Order and pace of play: which stop comes next, how long a hop takes, and which stop of a new timeline is the same as one of the old.
import type { Stop, Timeline } from '../engine/client'

export const SPEEDS = [0.25, 0.5, 1, 2, 4] as const
const HOP_MS = 420
const DWELL_MS = 260
const REDUCED_MS = 1600
/** The first play of a page lasts at most this long. */
const FIRST_PLAY_MS = 5000

export const nextShown = (shown: readonly number[], index: number) => shown.find((i) => i > index) ?? null
export const beforeShown = (shown: readonly number[], index: number) => shown.findLast((i) => i < index) ?? null

/** The shown stop at an index, or the nearest before it, or the first. */
export const nearestShown = (shown: readonly number[], index: number) => shown.findLast((i) => i <= index) ?? shown[0] ?? 0

/** First shown stop of the leg after or before that of `index`; going back first returns to the start of the current leg. */
export function legStep(timeline: Timeline, shown: readonly number[], index: number, by: 1 | -1): number | null {
  const leg = timeline.stops[index]?.leg
  if (leg === undefined) return null
  const firstOf = (number: number) => shown.find((i) => timeline.stops[i]?.leg === number) ?? null
  if (by === -1) {
    const first = firstOf(leg)
    if (first !== null && first < index) return first
  }
  for (let other = leg + by; other >= 0 && other < timeline.legs.length; other += by) {
    const first = firstOf(other)
    if (first !== null) return first
  }
  return null
}

export interface Pace {
  travelMs: number
  dwellMs: number
}

/** How long the way to a stop and the wait at it are. With reduced motion nothing travels. */
export function paceOf(stop: Stop, speed: number, reduced: boolean, hurry = 1): Pace {
  if (reduced) return { travelMs: 0, dwellMs: REDUCED_MS / speed }
  const waits = stop.rules.length > 0 || stop.tags.length > 0
  const moves = stop.path.length > 1
  return { travelMs: (moves ? HOP_MS : 60) / speed / hurry, dwellMs: (waits ? DWELL_MS : 0) / speed / hurry }
}

/** Factor by which the first play hurries so that it reaches the interesting stop within its time. */
export function hurryTo(timeline: Timeline, shown: readonly number[], target: number): number {
  let sum = 0
  for (const i of shown) {
    const stop = timeline.stops[i]
    if (!stop || i > target) break
    const pace = paceOf(stop, 1, false)
    sum += pace.travelMs + pace.dwellMs
  }
  return Math.max(1, sum / FIRST_PLAY_MS)
}

/** After an edit: the stop of the new timeline that is at the same place in the same leg, or `null`. */
export function sameStop(before: Timeline, index: number, after: Timeline): number | null {
  const stop = before.stops[index]
  const leg = stop && before.legs[stop.leg]
  if (!stop || !leg) return null
  const alike = (other: Timeline['legs'][number]) => other.kind === leg.kind && other.label === leg.label
  const ordinal = before.legs.slice(0, stop.leg).filter(alike).length
  const candidates = after.legs.filter(alike)
  const found = candidates[ordinal] ?? candidates.at(-1)
  if (!found) return null
  const at = (timeline: Timeline, first: number, end: number) =>
    timeline.stops.flatMap((candidate, i) => (i >= first && i < end && candidate.shape === stop.shape && candidate.name === stop.name ? [i] : []))
  const nth = at(before, leg.first, leg.end).indexOf(index)
  const same = at(after, found.first, found.end)
  return same[nth] ?? same.at(-1) ?? Math.min(found.first + (index - leg.first), found.end - 1)
}
