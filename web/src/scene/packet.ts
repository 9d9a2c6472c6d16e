// Draws packets on the canvas: shape by leg and protocol, one box for each tunnel, and how a leg ended.
import type { LegKind, Point } from '../engine/client'

export interface Palette {
  fill: Record<LegKind, string>
  on: Record<LegKind, string>
  encap: string
  encapSoft: string
  surface: string
  ink: string
  deny: string
  ok: string
  unknown: string
  font: string
}

/** Reads the tokens; once for each change of theme, never for each frame. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement)
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim()
  return {
    fill: { request: token('req'), reply: token('rep'), side: token('side') },
    on: { request: token('on-req'), reply: token('on-rep'), side: token('on-side') },
    encap: token('encap'), encapSoft: token('encap-soft'), surface: token('surface'), ink: token('ink'),
    deny: token('deny'), ok: token('ok'), unknown: token('unknown'), font: token('font-ui'),
  }
}

export interface Glyph {
  at: Point
  kind: LegKind
  protocol: string
  flag: string
  tunnels: number
  /** `null` while it moves or stands in the middle of its way. */
  end: string | null
}

/** Half the width and height of a glyph. */
const W = 20
const H = 10

function outline(context: CanvasRenderingContext2D, { kind, protocol }: Pick<Glyph, 'kind' | 'protocol'>, w: number) {
  context.beginPath()
  if (kind === 'side') {
    context.moveTo(-w - 4, 0)
    context.lineTo(0, -H - 5)
    context.lineTo(w + 4, 0)
    context.lineTo(0, H + 5)
    context.closePath()
    return
  }
  const d = kind === 'reply' ? -1 : 1
  const tail = -d * w
  if (protocol === 'udp') {
    context.moveTo(tail + d * H, H)
    context.arc(tail + d * H, 0, H, Math.PI / 2, -Math.PI / 2, d < 0)
  } else {
    context.moveTo(tail, H)
    if (protocol === 'icmp') context.lineTo(tail + d * 7, 0)
    context.lineTo(tail, -H)
  }
  context.lineTo(d * (w - 8), -H)
  context.lineTo(d * (w + 1), 0)
  context.lineTo(d * (w - 8), H)
  context.closePath()
}

export function drawGlyph(context: CanvasRenderingContext2D, glyph: Glyph, palette: Palette) {
  const { kind, flag } = glyph
  context.save()
  context.translate(glyph.at.x, glyph.at.y)
  context.lineJoin = 'round'
  context.font = `700 11px ${palette.font}`
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  const w = Math.max(W, Math.min(36, context.measureText(flag).width / 2 + (kind === 'side' ? 8 : 10)))
  const boxes = Math.min(3, glyph.tunnels)
  for (let i = boxes; i > 0; i--) box(context, w + 8 * i, H + 8 * i, palette)
  if (glyph.tunnels > 3) {
    context.fillStyle = palette.ink
    context.fillText(`×${glyph.tunnels}`, w + 8 * boxes + 12, 0)
  }
  const gone = glyph.end === 'dropped' || glyph.end === 'unknown' || glyph.end === 'looped'
  outline(context, glyph, w)
  if (gone) {
    const hue = glyph.end === 'unknown' ? palette.unknown : palette.deny
    context.fillStyle = palette.surface
    context.fill()
    context.setLineDash([4, 3])
    context.lineWidth = 2
    context.strokeStyle = hue
    context.stroke()
    context.setLineDash([])
    context.fillStyle = palette.ink
    context.fillText(glyph.end === 'unknown' ? '?' : flag, kind === 'side' ? 0 : kind === 'reply' ? 3 : -3, 0.5)
    if (glyph.end === 'dropped') bar(context, kind === 'reply' ? -w - 12 : w + 12, palette)
  } else {
    context.lineWidth = 4
    context.strokeStyle = boxes > 0 ? palette.fill[kind] : palette.surface
    context.stroke()
    context.fillStyle = palette.fill[kind]
    context.fill()
    context.fillStyle = palette.on[kind]
    context.fillText(flag, kind === 'side' ? 0 : kind === 'reply' ? 3 : -3, 0.5)
    const x = kind === 'reply' ? -w - 14 : w + 14
    if (glyph.end === 'refused' || glyph.end === 'unreachable') disc(context, x, palette.deny, palette.surface, 'cross')
    if (glyph.end === 'delivered' || glyph.end === 'answered') disc(context, x, palette.ok, palette.surface, 'tick')
  }
  context.restore()
}

function box(context: CanvasRenderingContext2D, w: number, h: number, palette: Palette) {
  context.beginPath()
  context.roundRect(-w, -h, 2 * w + 2, 2 * h, 7)
  context.fillStyle = palette.encapSoft
  context.fill()
  context.lineWidth = 2
  context.strokeStyle = palette.encap
  context.stroke()
}

function bar(context: CanvasRenderingContext2D, x: number, palette: Palette) {
  context.beginPath()
  context.moveTo(x, -H - 8)
  context.lineTo(x, H + 8)
  context.lineWidth = 5
  context.lineCap = 'round'
  context.strokeStyle = palette.deny
  context.stroke()
}

function disc(context: CanvasRenderingContext2D, x: number, fill: string, mark: string, sign: 'cross' | 'tick') {
  context.beginPath()
  context.arc(x, 0, 9, 0, Math.PI * 2)
  context.fillStyle = fill
  context.fill()
  context.beginPath()
  if (sign === 'cross') {
    context.moveTo(x - 3.5, -3.5)
    context.lineTo(x + 3.5, 3.5)
    context.moveTo(x + 3.5, -3.5)
    context.lineTo(x - 3.5, 3.5)
  } else {
    context.moveTo(x - 4, 0.5)
    context.lineTo(x - 1, 3.5)
    context.lineTo(x + 4.5, -3)
  }
  context.lineWidth = 2.2
  context.lineCap = 'round'
  context.strokeStyle = mark
  context.stroke()
}
