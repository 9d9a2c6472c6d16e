// Finding by a few letters: which entries a query means, best first.

export interface Findable {
  label: string
  detail?: string
  value?: string
}

/** Every word of the query must occur; names that begin with it come first. */
export function matching<T extends Findable>(entries: readonly T[], query: string, limit = 50): T[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return entries.slice(0, limit)
  const ranked: { entry: T; rank: number; at: number }[] = []
  entries.forEach((entry, at) => {
    const label = entry.label.toLowerCase()
    const whole = `${label} ${entry.value ?? ''} ${entry.detail ?? ''}`.toLowerCase()
    if (!words.every((word) => whole.includes(word))) return
    const first = words[0] as string
    ranked.push({ entry, at, rank: label === first ? 0 : label.startsWith(first) ? 1 : label.includes(first) ? 2 : 3 })
  })
  return ranked.sort((a, b) => a.rank - b.rank || a.at - b.at).slice(0, limit).map(({ entry }) => entry)
}
