import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

// Recomputes the contrasts that the design promises from the tokens themselves.
const css = readFileSync(new URL('../src/theme/tokens.css', import.meta.url), 'utf8')

function tokens(block: string): Record<string, string> {
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})\b/g)].map((match) => [match[1], match[2]]))
}
const light = tokens(css.slice(0, css.indexOf('@media (prefers-color-scheme: dark)')))
const dark = { ...light, ...tokens(css.slice(css.indexOf(':root[data-theme="dark"]'))) }
const system = { ...light, ...tokens(css.slice(css.indexOf('@media (prefers-color-scheme: dark)'), css.indexOf(':root[data-theme="dark"]'))) }

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
function contrast(a: string | undefined, b: string | undefined): number {
  if (!a || !b) throw new Error('a token is missing')
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

describe.each([['light', light], ['dark', dark]])('%s', (_, t) => {
  const text: [string, string[]][] = [
    ...['req', 'rep', 'side', 'encap', 'nat', 'ok', 'deny', 'warn', 'unknown', 'accent'].map((hue): [string, string[]] => [hue, ['canvas', 'surface', 'raised', `${hue}-soft`]]),
    ...['ink', 'ink-2', 'ink-3'].map((ink): [string, string[]] => [ink, ['canvas', 'surface', 'raised', 'sunken']]),
    ...['req', 'rep', 'side', 'encap', 'nat', 'accent'].map((hue): [string, string[]] => [`on-${hue}`, [hue]]),
    ['on-btn', ['btn']], ['code-key', ['surface', 'code-mark']], ['code-str', ['surface', 'code-mark']], ['code-num', ['surface', 'code-mark']], ['code-com', ['surface', 'code-mark']],
  ]
  it.each(text.flatMap(([ink, grounds]) => grounds.map((ground) => [ink, ground])))('%s can be read on %s', (ink, ground) => {
    // Rounded as the design's table is.
    expect(Math.round(contrast(t[ink], t[ground]) * 10) / 10).toBeGreaterThanOrEqual(4.5)
  })
  it.each(['line-strong', 'wire', 'focus'].flatMap((line) => ['canvas', 'surface', 'raised'].map((ground) => [line, ground])))('%s is seen on %s', (line, ground) => {
    expect(contrast(t[line], t[ground])).toBeGreaterThanOrEqual(3)
  })
})

describe('tokens', () => {
  it('has the same dark colours by the system and by the switch', () => {
    expect(system).toEqual(dark)
  })
})
