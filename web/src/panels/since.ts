// How long ago something was, in the words that one would use.

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export function since(at: number, now: number): string {
  const ago = Math.max(0, now - at)
  const count = (n: number, unit: string) => `${n} ${unit}${n === 1 ? '' : 's'} ago`
  if (ago < MINUTE) return 'just now'
  if (ago < HOUR) return count(Math.floor(ago / MINUTE), 'minute')
  if (ago < DAY) return count(Math.floor(ago / HOUR), 'hour')
  return count(Math.floor(ago / DAY), 'day')
}
