// Points, polylines, and the transform between the scene and the screen.
import type { Point } from '../engine/client'

export interface Size {
  w: number
  h: number
}
export interface Rect extends Size {
  x: number
  y: number
}

export const distance = (a: Point, b: Point) => Math.hypot(b.x - a.x, b.y - a.y)

/** Drops points that repeat the one before. */
export function joined(...lines: readonly (readonly Point[])[]): Point[] {
  const points: Point[] = []
  for (const point of lines.flat()) {
    const last = points.at(-1)
    if (!last || distance(last, point) > 0.5) points.push(point)
  }
  return points
}

export function lengthOf(line: readonly Point[]): number {
  let sum = 0
  for (let i = 1; i < line.length; i++) sum += distance(line[i - 1] as Point, line[i] as Point)
  return sum
}

/** The part of a polyline up to a fraction of its length, its end included. */
export function upTo(line: readonly Point[], fraction: number): Point[] {
  const first = line[0]
  if (!first) return []
  let left = Math.max(0, Math.min(1, fraction)) * lengthOf(line)
  const part = [first]
  for (let i = 1; i < line.length; i++) {
    const [a, b] = [line[i - 1] as Point, line[i] as Point]
    const step = distance(a, b)
    if (step >= left) {
      const r = step === 0 ? 0 : left / step
      part.push({ x: a.x + (b.x - a.x) * r, y: a.y + (b.y - a.y) * r })
      return part
    }
    left -= step
    part.push(b)
  }
  return part
}

/** The same line moved aside by `by` pixels, to the right of its direction, corners kept square. */
export function beside(line: readonly Point[], by: number): Point[] {
  if (line.length < 2 || by === 0) return [...line]
  const normal = (a: Point, b: Point) => {
    const d = distance(a, b) || 1
    return { x: -(b.y - a.y) / d, y: (b.x - a.x) / d }
  }
  return line.map((point, i) => {
    const into = i > 0 ? normal(line[i - 1] as Point, point) : null
    const out = i < line.length - 1 ? normal(point, line[i + 1] as Point) : null
    const a = into ?? out ?? { x: 0, y: 0 }
    const b = out ?? a
    const turned = a.x * b.x + a.y * b.y
    // At a corner the two shifted lines meet; where the line turns back on itself one shift is enough.
    const n = turned > -0.9 ? { x: (a.x + b.x) / (1 + turned), y: (a.y + b.y) / (1 + turned) } : a
    return { x: point.x + n.x * by, y: point.y + n.y * by }
  })
}

const round = (value: number) => Math.round(value * 10) / 10

/** An SVG path. */
export const pathOf = (line: readonly Point[], scale = 1) =>
  line.map((point, i) => `${i ? 'L' : 'M'}${round(point.x * scale)} ${round(point.y * scale)}`).join('')

export const centre = (rect: Rect): Point => ({ x: rect.x + rect.w / 2, y: rect.y + rect.h / 2 })

export const overlap = (a: Rect, b: Rect) =>
  Math.max(0, Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x)) * Math.max(0, Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y))

/** Where the scene is on the screen: `screen = scene * zoom + (x, y)`. */
export interface Camera {
  x: number
  y: number
  zoom: number
}

export const ZOOM = { least: 0.2, most: 3 }
export const clampZoom = (zoom: number) => Math.max(ZOOM.least, Math.min(ZOOM.most, zoom))

/** The whole scene, in the middle, at 100 % if it fits and never larger. */
export function fit(scene: Size, room: Size, margin = 0): Camera {
  if (scene.w <= 0 || scene.h <= 0 || room.w <= 0 || room.h <= 0) return { x: 0, y: 0, zoom: 1 }
  const zoom = clampZoom(Math.min(1, (room.w - 2 * margin) / scene.w, (room.h - 2 * margin) / scene.h))
  return { zoom, x: Math.max(margin, (room.w - scene.w * zoom) / 2), y: Math.max(margin, (room.h - scene.h * zoom) / 2) }
}

/** As wide as the room, from the top: what is longer is moved through. For narrow screens, where a whole could not be read. */
export function fitWidth(scene: Size, room: Size): Camera {
  const whole = fit(scene, { ...room, h: Math.max(room.h, scene.h) })
  return scene.h * whole.zoom <= room.h ? fit(scene, room) : { ...whole, y: 0 }
}

/** The part of the scene that is in sight, with a margin, in steps so that a small pan changes nothing. */
export function inSight(camera: Camera, room: Size, step = 256): Rect {
  const x = Math.floor(-camera.x / camera.zoom / step) * step - step
  const y = Math.floor(-camera.y / camera.zoom / step) * step - step
  return { x, y, w: Math.ceil(room.w / camera.zoom / step) * step + 3 * step, h: Math.ceil(room.h / camera.zoom / step) * step + 3 * step }
}

/** Zooms about a point of the screen, which stays where it is. */
export function zoomAbout(camera: Camera, factor: number, at: Point): Camera {
  const zoom = clampZoom(camera.zoom * factor)
  const r = zoom / camera.zoom
  return { zoom, x: at.x - (at.x - camera.x) * r, y: at.y - (at.y - camera.y) * r }
}

/** Moved so that some of the scene stays in sight. */
export function kept(camera: Camera, scene: Size, room: Size, least = 48): Camera {
  const within = (v: number, length: number, space: number) => Math.max(least - length, Math.min(space - least, v))
  return { zoom: camera.zoom, x: within(camera.x, scene.w * camera.zoom, room.w), y: within(camera.y, scene.h * camera.zoom, room.h) }
}

/** Moved just so far that a rectangle of the scene is seen whole, or its upper left corner if it is too large. */
export function revealing(camera: Camera, rect: Rect, room: Size, above = 2): Camera {
  const along = (v: number, from: number, length: number, space: number, margin = 2) => {
    const a = from * camera.zoom + v
    const b = a + length * camera.zoom
    if (b > space - margin) v -= Math.min(b - (space - margin), a - margin)
    if (from * camera.zoom + v < margin) v = margin - from * camera.zoom
    return v
  }
  return { zoom: camera.zoom, x: along(camera.x, rect.x, rect.w, room.w), y: along(camera.y, rect.y, rect.h, room.h, above) }
}
