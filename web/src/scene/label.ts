// Which lines of text a box shows: labels keep their size and drop out whole when there is no room.
import type { Shape } from '../engine/client'

export type Face = 'name' | 'mono' | 'small'

/** Width of a text in CSS pixels. */
export type Measure = (text: string, face: Face) => number

/** Mean widths at 12 px semibold, 11 px mono and 11 px regular: good enough where no font can be measured. */
export const estimate: Measure = (text, face) => text.length * (face === 'mono' ? 6.6 : face === 'name' ? 6.7 : 5.6)

export interface Label {
  /** The name as it fits: whole, or shortened in the middle so that its two ends stay; empty when there is no room at all. */
  name: string
  /** Indices of the lines that fit. */
  lines: number[]
  /** Of these, those whose right-hand value does not. */
  bare: number[]
}

const NAME_LINE = 16
const LINE = 15
const PAD = { x: 16, y: 12 }

/** `emailservice-6b7d…-x2k4j`: the end tells pods of one Deployment apart, so it stays. */
export function shortened(text: string, room: number, measure: Measure): string {
  if (measure(text, 'name') <= room) return text
  for (let kept = text.length - 1; kept >= 5; kept--) {
    const tail = Math.min(5, Math.floor(kept / 2))
    const short = `${text.slice(0, kept - tail)}…${text.slice(text.length - tail)}`
    if (measure(short, 'name') <= room) return short
  }
  return ''
}

export function fitLabel(shape: Pick<Shape, 'label' | 'lines'>, w: number, h: number, measure: Measure, pad = PAD, icon = 0): Label {
  const room = w - pad.x
  let space = h - pad.y
  if (space < NAME_LINE - 2 || room < 12) return { name: '', lines: [], bare: [] }
  const name = shortened(shape.label, room - icon, measure)
  space -= NAME_LINE
  const lines: number[] = []
  const bare: number[] = []
  shape.lines.forEach((line, i) => {
    if (space < LINE - 2) return
    const mark = line.kind === 'listen' || line.kind.startsWith('endpoint') ? 13 : 0
    const text = measure(line.text, line.kind === 'note' ? 'small' : 'mono') + mark
    if (text > room) return
    if (line.value !== undefined && text + measure(line.value, 'mono') + 6 > room) bare.push(i)
    lines.push(i)
    space -= LINE
  })
  return { name, lines, bare }
}

/** Boxes with everything in one row: bridges, tunnels, interfaces, idle hooks. */
export function fitRow(shape: Pick<Shape, 'label' | 'lines'>, w: number, measure: Measure, pad = 14): Label {
  let room = w - pad
  const name = measure(shape.label, 'mono') <= room ? shape.label : shortened(shape.label, room, measure)
  room -= measure(name, 'mono')
  const lines: number[] = []
  for (const [i, line] of shape.lines.entries()) {
    room -= measure(line.text, 'mono') + 8
    if (room < 0) break
    lines.push(i)
  }
  return { name, lines, bare: [] }
}

const ROWS = new Set(['bridge', 'tunnel', 'interface'])

/** What fits into a box of this size, by its kind. */
export function labelOf(shape: Pick<Shape, 'kind' | 'label' | 'lines'>, w: number, h: number, measure: Measure): Label {
  if (ROWS.has(shape.kind) || (shape.kind === 'hook' && h < 34)) return fitRow(shape, w, measure, shape.kind === 'interface' ? 8 : 16)
  // A node's head has its name and address in one row; what does not fit there is left to the tree.
  if (shape.kind === 'node') return fitRow(shape, w, measure, 46)
  const icon = ICONS.has(shape.kind) && w > 70 ? 22 : 0
  return fitLabel(shape, w, h, measure, shape.kind === 'proxyTable' ? { x: 16, y: 6 } : ROUND.has(shape.kind) ? { x: 28, y: 6 } : PAD, icon)
}

const ICONS = new Set(['service', 'outside', 'host', 'router', 'proxyTable'])
const ROUND = new Set(['outside', 'host'])
