// Where the opened packet's card stands: beside the packet, over no box's text.
import type { Point } from '../engine/client'
import { overlap, type Rect, type Size } from './geometry'

export interface Placement extends Rect {
  /** Area of boxes that it covers. */
  covers: number
}

/** Tries on the packet, then above, below, right and left of it, and takes the first that covers nothing, else the one that covers least. */
export function placeCard(at: Point, card: Size, boxes: readonly Rect[], room: Rect, gap = 16): Placement {
  const inside = (x: number, y: number) => ({
    x: Math.max(room.x, Math.min(room.x + room.w - card.w, x)),
    y: Math.max(room.y, Math.min(room.y + room.h - card.h, y)),
    ...card,
  })
  const [cx, cy] = [at.x - card.w / 2, at.y - card.h / 2]
  const tries = [
    inside(cx, cy), inside(cx, at.y + gap), inside(cx, at.y - gap - card.h), inside(at.x + gap, cy), inside(at.x - gap - card.w, cy),
    inside(at.x + gap, at.y + gap), inside(at.x - gap - card.w, at.y + gap), inside(at.x + gap, at.y - gap - card.h), inside(at.x - gap - card.w, at.y - gap - card.h),
  ]
  let best: Placement | null = null
  for (const rect of tries) {
    const covers = boxes.reduce((sum, box) => sum + overlap(rect, box), 0)
    if (!best || covers < best.covers) best = { ...rect, covers }
    if (covers === 0) break
  }
  return best as Placement
}
