// The player: one index into the timeline's stops, moved by hand or by play. Frames go to listeners, not through reactive state.
import type { Stop, Timeline, TimelineLeg } from '../engine/client'
import { shownStops, type Lens } from '../scene/lens'
import { beforeShown, hurryTo, legStep, nearestShown, nextShown, paceOf, sameStop } from './sequence'

/** Where the packet is: at a stop, or on the way to the next with `travel` from 0 to 1. */
export interface Frame {
  from: number
  to: number
  travel: number
}

/** Where frames come from: the browser's, or a test's. */
export interface Frames {
  request(step: (now: number) => void): number
  cancel(id: number): void
}
const browserFrames: Frames = { request: (step) => requestAnimationFrame(step), cancel: (id) => cancelAnimationFrame(id) }

export class Player {
  timeline = $state.raw<Timeline | null>(null)
  index = $state(0)
  playing = $state(false)
  /** The packet is between two stops. */
  moving = $state(false)
  speed = $state(1)
  /** Stops that the lens shows. */
  shown = $state.raw<readonly number[]>([])
  reduced = false
  /** Called for each frame while the packet moves, and once when it stands. */
  readonly listeners = new Set<(frame: Frame) => void>()

  #lens: Lens = 'kernel'
  #stopAt: number | null = null
  #hurry = 1
  #toward = 0
  #raf = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly frames: Frames = browserFrames) {}

  get stop(): Stop | null {
    return this.timeline?.stops[this.index] ?? null
  }
  get leg(): TimelineLeg | null {
    return (this.stop && this.timeline?.legs[this.stop.leg]) ?? null
  }
  get atEnd() {
    return nextShown(this.shown, this.index) === null
  }

  /** A new request's timeline: from the start. */
  open(timeline: Timeline) {
    this.pause()
    this.timeline = timeline
    this.#look()
    this.#go(this.shown[0] ?? 0)
  }
  /** The same request after an edit: stays where it was, if that place is still there. */
  follow(timeline: Timeline) {
    const before = this.timeline
    const same = before && sameStop(before, this.index, timeline)
    this.pause()
    this.timeline = timeline
    this.#look()
    this.#go(nearestShown(this.shown, same ?? timeline.interesting))
  }
  clear() {
    this.pause()
    this.timeline = null
    this.shown = []
    this.index = 0
  }
  look(lens: Lens) {
    this.#lens = lens
    if (!this.timeline) return
    this.#look()
    this.#go(nearestShown(this.shown, this.index))
  }
  #look() {
    this.shown = this.timeline ? shownStops(this.timeline, this.#lens) : []
  }

  seek(index: number) {
    this.pause()
    this.#go(nearestShown(this.shown, index))
  }
  back() {
    const to = beforeShown(this.shown, this.index)
    this.pause()
    if (to !== null) this.#go(to)
  }
  forward() {
    this.#stopPlaying()
    // Pressed again on the way: it is there at once, and goes on from there.
    if (this.moving) this.#go(this.#toward)
    void this.#travel(1)
  }
  leap(by: 1 | -1) {
    const to = this.timeline && legStep(this.timeline, this.shown, this.index, by)
    this.pause()
    if (to !== null) this.#go(to)
    else if (by === 1) this.#go(this.shown.at(-1) ?? 0)
  }
  first() {
    this.seek(0)
  }
  last() {
    this.seek(Number.MAX_SAFE_INTEGER)
  }

  /** `upTo`: where this play ends and waits. */
  play(upTo: number | null = null) {
    if (!this.timeline || this.playing) return
    if (this.atEnd) this.#go(this.shown[0] ?? 0)
    this.#stopAt = upTo
    if (upTo !== null) this.#go(this.#legStart(upTo))
    const ahead = this.shown.filter((i) => i > this.index)
    this.#hurry = upTo === null ? 1 : hurryTo(this.timeline, ahead, upTo)
    this.playing = true
    void this.#run()
  }
  /** The first stop shown of the leg that a stop is in: a first play leaves out the look-ups before it. */
  #legStart(index: number): number {
    const leg = this.timeline?.stops[index]?.leg
    return this.shown.find((i) => this.timeline?.stops[i]?.leg === leg) ?? this.shown[0] ?? 0
  }
  pause() {
    this.#stopPlaying()
    if (this.moving) this.#arrive(this.index)
  }
  toggle() {
    if (this.playing) this.pause()
    else this.play()
  }

  #stopPlaying() {
    this.playing = false
    this.#hurry = 1
    this.frames.cancel(this.#raf)
    clearTimeout(this.#timer)
  }
  async #run() {
    while (this.playing) {
      if (this.#stopAt !== null && this.index >= this.#stopAt) break
      if (!(await this.#travel(this.#hurry))) break
      const stop = this.stop
      if (!stop || !this.playing) break
      const { dwellMs } = paceOf(stop, this.speed, this.reduced, this.#hurry)
      if (dwellMs > 0) await new Promise<void>((done) => (this.#timer = setTimeout(done, dwellMs)))
    }
    if (this.playing) this.#stopPlaying()
  }

  #travel(hurry: number): Promise<boolean> {
    const to = nextShown(this.shown, this.index)
    const stop = to === null ? null : this.timeline?.stops[to]
    if (to === null || !stop) return Promise.resolve(false)
    const { travelMs } = paceOf(stop, this.speed, this.reduced, hurry)
    if (this.moving) this.#arrive(this.index)
    if (travelMs === 0) {
      this.#go(to)
      return Promise.resolve(true)
    }
    const from = this.index
    this.#toward = to
    this.moving = true
    return new Promise((done) => {
      let start = -1
      const step = (now: number) => {
        if (start < 0) start = now
        const part = Math.min(1, (now - start) / travelMs)
        this.#tell({ from, to, travel: ease(part) })
        if (part < 1) this.#raf = this.frames.request(step)
        else {
          this.#go(to)
          done(true)
        }
      }
      this.#raf = this.frames.request(step)
    })
  }
  #arrive(index: number) {
    this.frames.cancel(this.#raf)
    this.#go(index)
  }
  #go(index: number) {
    this.moving = false
    this.index = index
    this.#tell({ from: index, to: index, travel: 1 })
  }
  #tell(frame: Frame) {
    for (const listener of this.listeners) listener(frame)
  }
}

/** Close to the token `--ease-move`. */
const ease = (t: number) => (t < 0.5 ? 2 * t * t : 1 - (-2 * t + 2) ** 2 / 2)
