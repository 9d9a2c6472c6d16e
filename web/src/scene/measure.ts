// Widths of texts in the fonts in use, measured once each.
import { estimate, type Face, type Measure } from './label'

const FONT: Record<Face, string> = { name: '600 12px', title: '700 13px', chip: '600 11px', small: '400 11px', mono: '400 11px' }

export function fontMeasure(): Measure {
  const context = document.createElement('canvas').getContext('2d')
  if (!context) return estimate
  const style = getComputedStyle(document.documentElement)
  const [ui, mono] = [style.getPropertyValue('--font-ui'), style.getPropertyValue('--font-mono')]
  const known = new Map<string, number>()
  return (text, face) => {
    const key = face + text
    let width = known.get(key)
    if (width === undefined) {
      context.font = `${FONT[face]} ${face === 'mono' ? mono : ui}`
      width = context.measureText(text).width
      known.set(key, width)
    }
    return width
  }
}
