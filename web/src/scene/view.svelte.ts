// How the world is looked at: the scene drawn, the camera, what is selected, what was opened by hand, the lens.
import type { Density, Point, Scene, SceneOptions, Shape } from '../engine/client'
import { fit, fitWidth, kept, revealing, zoomAbout, type Camera, type Rect, type Size } from './geometry'
import type { Lens } from './lens'

/** By the room that the drawing has, not by the window: panels beside it can be made wider. */
const densityOf = (width: number): Density => (width < 520 ? 'phone' : width < 740 ? 'middle' : 'wide')

export class View {
  scene = $state.raw<Scene | null>(null)
  camera = $state.raw<Camera>({ x: 0, y: 0, zoom: 1 })
  room = $state.raw<Size>({ w: 0, h: 0 })
  density = $state<Density>('wide')
  /** The shape that is selected, on the path or not. */
  selected = $state<string | null>(null)
  /** Shapes opened by hand. */
  opened = $state.raw<readonly string[]>([])
  lens = $state<Lens>('kernel')
  /** Moved or zoomed by hand: new scenes keep the camera. */
  moved = $state(false)
  reducedMotion = $state(false)

  readonly #byId = $derived(new Map((this.scene?.shapes ?? []).map((shape) => [shape.id, shape])))

  shape(id: string | null | undefined): Shape | null {
    return (id && this.#byId.get(id)) || null
  }

  options(): SceneOptions {
    return { density: this.density, width: this.room.w, height: this.room.h, keep: [...this.opened] }
  }

  /** True when the engine must lay out again. */
  resize(room: Size): boolean {
    const density = densityOf(room.w)
    if (density === this.density && room.w === this.room.w && room.h === this.room.h) return false
    this.density = density
    this.room = room
    if (!this.moved) this.fit()
    return true
  }

  show(scene: Scene) {
    this.scene = scene
    if (!this.moved) this.fit()
    else this.camera = kept(this.camera, this.size, this.room)
  }

  get size(): Size {
    return { w: this.scene?.width ?? 0, h: this.scene?.height ?? 0 }
  }

  fit() {
    this.moved = false
    this.camera = this.density === 'phone' ? fitWidth(this.size, this.room) : fit(this.size, this.room)
  }
  pan(dx: number, dy: number) {
    this.moved = true
    this.camera = kept({ ...this.camera, x: this.camera.x + dx, y: this.camera.y + dy }, this.size, this.room)
  }
  zoom(factor: number, at = { x: this.room.w / 2, y: this.room.h / 2 }) {
    this.moved = true
    this.camera = kept(zoomAbout(this.camera, factor, at), this.size, this.room)
  }
  /** Brings a shape into sight, if it is not. */
  reveal(id: string | null | undefined) {
    const shape = this.shape(id)
    if (shape) this.#reveal(shape)
  }
  /** Brings a packet that stands between shapes into sight. */
  revealPoint(at: Point) {
    this.#reveal({ x: at.x - 24, y: at.y - 18, w: 48, h: 36 })
  }
  #reveal(rect: Rect) {
    // On a phone what is around it counts too: the drawing is longer than the screen.
    const camera = revealing(this.camera, rect, this.room, this.density === 'phone' ? 40 : 2)
    if (camera.x !== this.camera.x || camera.y !== this.camera.y) this.camera = camera
  }
  open(ids: readonly string[]) {
    this.opened = [...new Set([...this.opened, ...ids])]
  }
}
