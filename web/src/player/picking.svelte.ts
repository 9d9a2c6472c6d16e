// Choosing source and destination on the drawing or in the tree, and keeping the one selection.
import type { Lens } from '../scene/lens'
import type { Session } from './session.svelte'

/** What can be picked: a shape or a row of the tree. */
export interface Pickable {
  source?: string | undefined
  targets: readonly string[]
}

export class Picking {
  /** What the next pick means; `null`: a click selects. */
  step = $state<'source' | 'target' | null>(null)

  /** `open`: whether requests can be sent at all; a lesson's cannot before the guess. */
  constructor(private readonly session: Session, private readonly open: () => boolean = () => true) {}

  start() {
    if (this.open()) this.step = 'source'
  }
  stop() {
    this.step = null
  }

  accepts(thing: Pickable): boolean {
    return this.step === 'source' ? thing.source !== undefined : this.step === 'target' && thing.targets.length > 0
  }

  /** Takes part in the picking that goes on; `false`: it is an ordinary click. */
  take(thing: Pickable): boolean {
    // Nothing was sent yet: a click on a pod is the first half of a request, and selects it all the same.
    if (this.step === null && !this.session.asked && thing.source !== undefined && this.open()) {
      this.sendFrom(thing)
      this.step = 'target'
      return false
    }
    if (!this.accepts(thing)) return false
    if (this.step === 'source') {
      this.sendFrom(thing)
      this.step = 'target'
    } else {
      this.step = null
      this.sendTo(thing)
    }
    return true
  }

  sendFrom(thing: Pickable) {
    if (thing.source !== undefined) this.session.ask.from = thing.source
  }
  sendTo(thing: Pickable) {
    const target = thing.targets[0]
    if (target === undefined) return
    this.session.ask.to = target
    void this.session.send()
  }
}

/** Selects a shape; if it is on the current leg, the path goes to its hop. */
export function selectShape(session: Session, id: string | null) {
  session.view.selected = id
  const { player } = session
  const leg = player.leg
  if (id === null || !leg || !player.timeline) return
  if (player.stop?.shape === id) return
  const at = player.shown.find((i) => i >= leg.first && i < leg.end && player.timeline?.stops[i]?.shape === id)
  if (at !== undefined) player.seek(at)
}

/** Goes to a stop; its shape becomes the selection. */
export function selectStop(session: Session, index: number) {
  session.player.seek(index)
  followPlayer(session)
}

/** Looks at one layer; stops that it folds are left. */
export function lookAt(session: Session, lens: Lens) {
  session.view.lens = lens
  session.player.look(lens)
}

/** After the player moved: the drawing and the inspector show the same hop. */
export function followPlayer(session: Session) {
  const { stop } = session.player
  const shape = stop?.shape ?? null
  session.view.selected = shape
  if (shape) session.view.reveal(shape)
  else if (stop) session.view.revealPoint(stop.at)
}
