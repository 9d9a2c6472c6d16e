// Arrow keys on the drawing: the nearest box in a direction.
import { centre, type Rect } from './geometry'

export type Direction = 'up' | 'down' | 'left' | 'right'

const UNIT: Record<Direction, { x: number; y: number }> = { up: { x: 0, y: -1 }, down: { x: 0, y: 1 }, left: { x: -1, y: 0 }, right: { x: 1, y: 0 } }

/** Forward distance counts once, sideways twice, so that a row is left only when it ends. */
export function nearest<T extends Rect & { id: string }>(boxes: readonly T[], from: string, direction: Direction): T | null {
  const here = boxes.find((box) => box.id === from)
  if (!here) return boxes[0] ?? null
  const a = centre(here)
  const d = UNIT[direction]
  let best: T | null = null
  let least = Infinity
  for (const box of boxes) {
    if (box === here) continue
    const b = centre(box)
    const [dx, dy] = [b.x - a.x, b.y - a.y]
    const forward = dx * d.x + dy * d.y
    if (forward <= 4) continue
    const cost = forward + 2 * Math.abs(dx * d.y - dy * d.x)
    if (cost < least) [best, least] = [box, cost]
  }
  return best
}
