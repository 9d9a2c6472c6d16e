// Which lines of text a box shows: labels keep their size and drop out whole when there is no room.
import type { Shape, ShapeKind } from '../engine/client'

export type Face = 'name' | 'title' | 'chip' | 'small' | 'mono'

/** Width of a text in CSS pixels. */
export type Measure = (text: string, face: Face) => number

/** Mean widths of the faces: good enough where no font can be measured. */
const MEAN: Record<Face, number> = { name: 6.7, title: 7.4, chip: 6.2, small: 5.6, mono: 6.6 }
export const estimate: Measure = (text, face) => text.length * MEAN[face]

/** The face in which a kind of shape writes its name; the engine lays out by the same. */
export function faceOf(kind: ShapeKind): Face {
  if (kind === 'node' || kind === 'service' || kind === 'host') return 'title'
  if (kind === 'hook' || kind === 'proxyTable' || kind === 'caption') return 'chip'
  return kind === 'bridge' || kind === 'tunnel' || kind === 'interface' ? 'mono' : 'name'
}

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

/** Clear space beside and above the text, both sides together, borders included. */
interface Pad {
  x: number
  y: number
}
const PAD: Pad = { x: 16, y: 12 }

/** `emailservice-6b7d…-x2k4j`: the end tells pods of one Deployment apart, so it stays. */
export function shortened(text: string, room: number, measure: Measure, face: Face = 'name'): string {
  if (measure(text, face) <= room) return text
  for (let kept = text.length - 1; kept >= 5; kept--) {
    const tail = Math.min(5, Math.floor(kept / 2))
    const short = `${text.slice(0, kept - tail)}…${text.slice(text.length - tail)}`
    if (measure(short, face) <= room) return short
  }
  return ''
}

type Said = Pick<Shape, 'kind' | 'label' | 'lines'>

/** Name above lines. `icon`: room that it takes beside the name. */
export function fitLabel(shape: Said, w: number, h: number, measure: Measure, pad = PAD, icon = 0): Label {
  const room = w - pad.x
  if (h < NAME_LINE || room < 12) return { name: '', lines: [], bare: [] }
  const name = shortened(shape.label, room - icon, measure, faceOf(shape.kind))
  let space = h - pad.y - NAME_LINE
  const lines: number[] = []
  const bare: number[] = []
  shape.lines.forEach((line, i) => {
    if (space < LINE - 2) return
    const mark = line.kind === 'listen' || line.kind.startsWith('endpoint') ? 12 : 0
    const text = measure(line.text, line.kind === 'note' ? 'small' : 'mono') + mark
    if (text > room) return
    if (line.value !== undefined && text + measure(line.value, 'mono') + 6 > room) bare.push(i)
    lines.push(i)
    space -= LINE
  })
  return { name, lines, bare }
}

/** Boxes with everything in one row: bridges, tunnels, interfaces, idle hooks, a node's head. */
export function fitRow(shape: Said, w: number, measure: Measure, pad: number): Label {
  const face = faceOf(shape.kind)
  let room = w - pad
  const name = shortened(shape.label, room, measure, face)
  room -= measure(name, face)
  const lines: number[] = []
  for (const [i, line] of shape.lines.entries()) {
    room -= measure(line.text, 'mono') + 8
    if (room < 0) break
    lines.push(i)
  }
  return { name, lines, bare: [] }
}

/** Height of a node's head at 100 %; below it its boxes begin. */
const NODE_HEAD = 32

/** What fits into a box of this size, by its kind. */
export function labelOf(shape: Said, w: number, h: number, measure: Measure, scale = 1): Label {
  switch (shape.kind) {
    case 'router':
      // A circle with its sign; the name stands beside it as a caption.
      return { name: '', lines: [], bare: [] }
    case 'bridge':
      return fitRow(shape, w, measure, 16)
    case 'tunnel':
      return fitRow(shape, w, measure, 10)
    case 'interface':
      return h < 13 ? { name: '', lines: [], bare: [] } : fitRow(shape, w, measure, 8)
    case 'node':
      // What does not fit into the head is left to the tree.
      return scale * NODE_HEAD < 19 ? { name: '', lines: [], bare: [] } : fitRow(shape, w, measure, 42)
    case 'hook':
      return h < 34 ? fitRow(shape, w, measure, 16) : fitLabel(shape, w, h, measure, { x: 17, y: 6 })
    case 'proxyTable':
      return fitLabel(shape, w, h, measure, { x: 17, y: 6 }, 22)
    case 'outside':
    case 'host':
      return fitLabel(shape, w, h, measure, { x: 46, y: 6 })
    case 'service':
      return fitLabel(shape, w, h, measure, { x: 17, y: 12 }, 22)
    default:
      return fitLabel(shape, w, h, measure)
  }
}
