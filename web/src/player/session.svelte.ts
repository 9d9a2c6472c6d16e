// Brings the document, the engine, the view and the player together: an edit becomes a new world, a new drawing and the same request again.
import { EngineClient, EngineStopped, Superseded, type CheckReport, type EngineState, type ExecResult, type LoadResult, type Place, type Scene, type SendResult, type SourceFile } from '../engine/client'
import type { Document } from '../document/document.svelte'
import { endsOf } from '../engine/tree'
import { View } from '../scene/view.svelte'
import { Player } from './player.svelte'

const LOAD_AFTER_MS = 120
const LAYOUT_AFTER_MS = 120

export interface Ask {
  from: string
  to: string
  method: string
}

export class Session {
  readonly view = new View()
  readonly player = new Player()
  engineState = $state.raw<EngineState>({ kind: 'starting' })
  /** What became of the newest texts. */
  load = $state.raw<LoadResult | null>(null)
  result = $state.raw<SendResult | null>(null)
  /** What the request bar holds. */
  ask = $state<Ask>({ from: '', to: '', method: 'GET' })
  /** Why the last request could not be asked. */
  refusal = $state<string | null>(null)
  sending = $state(false)
  /** When the last answer came, by the page's clock: the world's goes on with it. */
  answeredAt = $state(performance.now())
  /** A sentence for the status line: what went wrong or was done. */
  notice = $state<string | null>(null)
  /** The texts are newer than the world drawn, and could not be made into one. */
  readonly stale = $derived(this.load !== null && !this.load.fresh)
  /** Where requests can start and go. */
  readonly ends = $derived(endsOf(this.view.scene?.tree ?? []))

  /** A request was sent in this world. */
  asked = $state(false)

  #engine: EngineClient
  #seed = 0
  #sent: Ask | null = null
  /** The files of the world that the engine has. */
  #drawn: readonly SourceFile[] | null = null
  /** Of the typed lines, those that the reader was told of. */
  #failed = ''
  #offered: Pick<Ask, 'from' | 'to'> | null = null
  #loadTimer: ReturnType<typeof setTimeout> | undefined
  #layoutTimer: ReturnType<typeof setTimeout> | undefined
  #sendWhenReady = false
  #firstPlay = true

  constructor(readonly document: Document, engine?: (onState: (state: EngineState) => void) => EngineClient) {
    const onState = (state: EngineState) => {
      this.engineState = state
      if (state.kind === 'ready' && this.load) this.#layout()
    }
    this.#engine = engine ? engine(onState) : new EngineClient(onState)
  }

  /** The texts changed: load them soon, or now. */
  changed(soon = true) {
    clearTimeout(this.#loadTimer)
    this.#loadTimer = setTimeout(() => void this.#loadNow(), soon && this.load ? LOAD_AFTER_MS : 0)
  }

  /** The room for the drawing changed. */
  resized() {
    clearTimeout(this.#layoutTimer)
    this.#layoutTimer = setTimeout(() => this.#layout(), this.view.scene ? LAYOUT_AFTER_MS : 0)
  }

  /** A new request: plays up to what is worth looking at. */
  async send() {
    if (!this.ask.from.trim() || !this.ask.to.trim()) {
      this.refusal = this.ask.from.trim() ? 'Say where the request goes.' : 'Say where the request starts.'
      // Where there is a path, its track comes back.
      if (this.player.timeline) setTimeout(() => (this.refusal = null), 5000)
      return
    }
    if (!this.load) {
      this.#sendWhenReady = true
      this.sending = true
      return
    }
    this.refusal = null
    this.#seed++
    this.#sent = { ...this.ask }
    this.asked = true
    this.document.request = { ...this.ask }
    this.document.save()
    const result = await this.#request()
    if (!result) return
    this.player.open(result.timeline)
    this.player.play(this.#firstPlay ? result.timeline.interesting : null)
    this.#firstPlay = false
  }

  /** Forgets the request and its path. */
  clear() {
    this.result = null
    this.refusal = null
    this.#sent = null
    this.asked = false
    this.player.clear()
    this.#layout()
  }

  /** Runs a line of the terminal; one that changes the network becomes part of the document, and is undone with it. */
  async exec(place: string, line: string): Promise<ExecResult> {
    const result = await this.#engine.call('exec', [place, line])
    if (result.changed) {
      this.document.type({ place, line })
      this.#layout()
    }
    return result
  }
  /** Where a document says what a shape or a row stands for. */
  place(id: string): Promise<Place | null> {
    return this.#engine.call('place', [id])
  }
  check(checks: SourceFile[]): Promise<CheckReport> {
    return this.#engine.call('check', [checks], 'check')
  }
  restart() {
    this.#engine.restart()
    this.changed(false)
  }

  async #loadNow() {
    const { files } = this.document.world
    const { readable } = this.document
    // A world that was kept with errors in it: the engine is given the last good one first.
    if (readable && readable !== files && readable !== this.#drawn) await this.#take(await this.#read(readable), readable)
    const load = await this.#read(files)
    if (!load) {
      // Stopped by the watchdog: what is drawn is not of these texts.
      if (this.notice && this.load) this.load = { ...this.load, fresh: false }
      return
    }
    const failed = load.failed.join('\n')
    this.notice = failed && failed !== this.#failed ? `Typed lines that change nothing here any more:\n${failed}` : null
    this.#failed = failed
    if (load.fresh) this.document.read(files)
    await this.#take(load, files)
    if (this.#sendWhenReady) {
      this.#sendWhenReady = false
      this.sending = false
      await this.send()
    }
  }

  #read(files: readonly SourceFile[]): Promise<LoadResult | null> {
    return this.#quietly(this.#engine.call('load', [files.map(({ name, text }) => ({ name, text })), [...(this.document.world.typed ?? [])]], 'load'))
  }

  /** What a load made of the texts, shown. */
  async #take(load: LoadResult | null, files: readonly SourceFile[]) {
    if (!load) return
    this.load = load
    if (!load.fresh) return
    this.#drawn = files
    if (this.#sent) await this.#again()
    else await this.#draw()
  }

  /** Fills a request bar that nobody has touched with something that can be sent. */
  #choose() {
    const { sources, targets } = this.ends
    const { from, to } = this.ask
    const untouched = (!from && !to) || (!this.asked && from === this.#offered?.from && to === this.#offered.to)
    if (untouched) {
      const other = targets.find((target) => target.shape !== sources[0]?.shape) ?? targets[0]
      this.#offered = this.load?.first ?? { from: sources[0]?.value ?? '', to: other?.value ?? '' }
      this.ask = { ...this.ask, ...this.#offered }
    }
    if (!this.ask.from) this.ask.from = sources[0]?.value ?? ''
    if (!this.ask.to) this.ask.to = targets[0]?.value ?? ''
  }

  #show(scene: Scene) {
    this.view.show(scene)
    this.#choose()
  }

  #layout() {
    if (!this.load || this.view.room.w === 0) return
    if (this.#sent) void this.#again()
    else void this.#draw()
  }

  async #draw() {
    if (this.view.room.w === 0) return
    const scene = await this.#quietly(this.#engine.call('scene', [this.view.options()], 'scene'))
    if (scene) this.#show(scene)
  }

  async #again() {
    const result = await this.#request()
    if (result) this.player.follow(result.timeline)
  }

  /** How long the reader has looked at the last answer: caches and connections age as long. */
  #elapsed(): number {
    return this.result ? Math.min(3_600_000, Math.round(performance.now() - this.answeredAt)) : 0
  }

  async #request(): Promise<SendResult | null> {
    const ask = this.#sent
    if (!ask) return null
    this.sending = true
    const call = this.#engine.call('send', [{ ...ask, headers: [], seed: this.#seed, afterMs: this.#elapsed(), scene: this.view.options() }], 'send')
    const result = await this.#quietly(call)
    this.sending = false
    if (!result) return null
    this.refusal = result.error ?? null
    if (result.error !== undefined) {
      // The request is kept: once the texts name its ends again, the path is back.
      this.result = null
      this.player.clear()
      await this.#draw()
      return null
    }
    this.result = result
    this.answeredAt = performance.now()
    this.#show(result.scene)
    return result
  }

  /** The engine's own troubles become a state or a notice, never a lost promise. */
  async #quietly<T>(call: Promise<T>): Promise<T | null> {
    try {
      return await call
    } catch (error) {
      if (error instanceof EngineStopped && error.because === 'too long') this.notice = `${error.message}. The last good world stays.`
      else if (!(error instanceof Superseded) && !(error instanceof EngineStopped)) this.notice = error instanceof Error ? error.message : String(error)
      return null
    }
  }
}
