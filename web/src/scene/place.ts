// Where the opened packet's card stands: beside the packet, over no box's text.
import type { Point } from '../engine/client'
import { overlap, type Camera, type Rect, type Size } from './geometry'

export interface Placement extends Rect {
  /** Area of boxes that it covers. */
  covers: number
}

/**
 * Tries on the packet, then below, above, right and left of it, and takes the first that covers nothing, else the one that
 * covers least. Beside the packet it must not cover a part of it: `glyph` is half its size.
 */
export function placeCard(at: Point, card: Size, boxes: readonly Rect[], room: Rect, glyph: Size = { w: 30, h: 22 }): Placement {
  const gap = glyph.h + 6
  const inside = (x: number, y: number) => ({
    x: Math.max(room.x, Math.min(room.x + room.w - card.w, x)),
    y: Math.max(room.y, Math.min(room.y + room.h - card.h, y)),
    ...card,
  })
  const [cx, cy] = [at.x - card.w / 2, at.y - card.h / 2]
  const tries = [
    inside(cx, cy), inside(cx, at.y + gap), inside(cx, at.y - gap - card.h), inside(at.x + glyph.w + 6, cy), inside(at.x - glyph.w - 6 - card.w, cy),
    inside(at.x + glyph.w + 6, at.y + gap), inside(at.x - glyph.w - 6 - card.w, at.y + gap), inside(at.x + glyph.w + 6, at.y - gap - card.h), inside(at.x - glyph.w - 6 - card.w, at.y - gap - card.h),
  ]
  let best: Placement | null = null
  for (const rect of tries) {
    const onPacket = rect.x <= at.x - glyph.w && rect.x + rect.w >= at.x + glyph.w && rect.y <= at.y - 6 && rect.y + rect.h >= at.y + 6
    const partly = onPacket ? 0 : overlap(rect, { x: at.x - glyph.w, y: at.y - glyph.h, w: 2 * glyph.w, h: 2 * glyph.h })
    const covers = partly + boxes.reduce((sum, box) => sum + overlap(rect, box), 0)
    if (!best || covers < best.covers) best = { ...rect, covers }
    if (covers === 0) break
  }
  return best as Placement
}

/** The corner of the room, or the middle of its lower edge, where a control covers least of the drawing; the lower right one if it can be. */
export function cornerFor(control: Size, shapes: readonly (Rect & { kind: string })[], camera: Camera, room: Size, margin = 8): Rect {
  const right = room.w - control.w - margin
  const bottom = room.h - control.h - margin
  const corners = [{ x: right, y: bottom }, { x: (room.w - control.w) / 2, y: bottom }, { x: margin, y: bottom }, { x: right, y: margin }, { x: margin, y: margin }].map((corner) => ({ ...corner, ...control }))
  let best: Rect = corners[0] as Rect
  let least = Infinity
  for (const corner of corners) {
    const covers = shapes.reduce((sum, shape) => {
      const rect = { x: shape.x * camera.zoom + camera.x, y: shape.y * camera.zoom + camera.y, w: shape.w * camera.zoom, h: shape.h * camera.zoom }
      // The ground of a node is free for a control, its head is not.
      return sum + (shape.kind === 'node' ? 0.01 * overlap(corner, rect) + overlap(corner, { ...rect, h: Math.min(32, rect.h) }) : overlap(corner, rect))
    }, 0)
    if (covers < least) [best, least] = [corner, covers]
  }
  return best
}
