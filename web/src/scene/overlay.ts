// The canvas of moving packets above the drawing.
import type { Timeline } from '../engine/client'
import { onThemeChange } from '../theme/theme'
import { upTo, type Camera, type Size } from './geometry'
import type { Point } from '../engine/client'
import { drawGlyph, readPalette, type Glyph, type Palette } from './packet'
import { aside, legOf, wayBetween } from './progress'

export class Overlay {
  #palette: Palette = readPalette()
  #off: () => void
  #size: Size = { w: 0, h: 0 }
  #last: { glyph: Glyph | null; camera: Camera } | null = null

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.#off = onThemeChange(() => {
      this.#palette = readPalette()
      if (this.#last) this.paint(this.#last.glyph, this.#last.camera)
    })
  }
  close() {
    this.#off()
  }
  resize(size: Size) {
    this.#size = size
    const ratio = devicePixelRatio || 1
    this.canvas.width = Math.round(size.w * ratio)
    this.canvas.height = Math.round(size.h * ratio)
  }
  paint(glyph: Glyph | null, camera: Camera) {
    this.#last = { glyph, camera }
    const context = this.canvas.getContext('2d')
    if (!context) return
    const ratio = devicePixelRatio || 1
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, this.#size.w, this.#size.h)
    if (!glyph) return
    const at = { x: glyph.at.x * camera.zoom + camera.x, y: glyph.at.y * camera.zoom + camera.y }
    drawGlyph(context, { ...glyph, at }, this.#palette)
  }
}

/** The packet on its way between two stops, and the part of that way that lies behind it. */
export function packetAt(timeline: Timeline, from: number, to: number, travel: number): { glyph: Glyph; way: Point[] } | null {
  const leg = legOf(timeline, to)
  const stop = timeline.stops[travel < 1 ? from : to]
  if (!leg || !stop) return null
  const way = upTo(aside(leg.kind, wayBetween(timeline, from, to)), travel)
  const at = way.at(-1) ?? stop.at
  const shown = travel < 1 && timeline.stops[from]?.leg === timeline.stops[to]?.leg ? stop : timeline.stops[to]
  const tunnels = Math.max(0, ...(shown?.packet ?? []).map((layer) => layer.depth))
  const end = travel >= 1 && to === leg.end - 1 ? leg.endState : null
  return { glyph: { at, kind: leg.kind, protocol: leg.protocol, flag: leg.flag, tunnels, end }, way }
}
