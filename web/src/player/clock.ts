// Simulated time in words.

/** `0 µs`, `412 µs`, `4.118 ms`, `1.024 s`. */
export function timeText(micros: number): string {
  if (micros < 1000) return `${Math.round(micros)} µs`
  if (micros < 1_000_000) return `${(micros / 1000).toFixed(3)} ms`
  return `${(micros / 1_000_000).toFixed(3)} s`
}
