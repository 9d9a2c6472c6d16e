// The page's one door to the engine: typed calls to a Web Worker, one at a time, with supersession, a watchdog and restart.
import type { Arguments, Answer, Method, Port, Results } from './rpc'
import type { Scene, TreeItem } from './generated/hoplab_bindings.js'
import type * as Sent from './generated/hoplab_bindings.js'
import { withHeaders } from './timeline'
import { whole } from './tree'

export type * from './generated/hoplab_bindings.js'
export type { SendResult, Stop, Timeline } from './timeline'

/** Longest that one call may run before the worker is ended. */
export const LIMIT_MS = 5000

/** How the engine is. `stopped`: nothing runs until `restart`. */
export type EngineState = { kind: 'starting' } | { kind: 'ready' } | { kind: 'stopped'; report: string }

/** A newer call with the same key took this one's place. */
export class Superseded extends Error {}

/** The engine trapped, took too long, or could not start. */
export class EngineStopped extends Error {
  constructor(readonly because: 'trap' | 'too long' | 'no start', message: string) {
    super(message)
  }
}

interface Waiting {
  id: number
  method: Method
  args: unknown[]
  key: string | undefined
  resolve: (value: never) => void
  reject: (error: Error) => void
}

const spawnWorker = (): Port => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }) as unknown as Port

export class EngineClient {
  #port: Port | null = null
  #ready = false
  #queue: Waiting[] = []
  #running: Waiting | null = null
  #watch: ReturnType<typeof setTimeout> | undefined
  #next = 1
  /** Arguments of the last load that made a world. */
  #lastGood: unknown[] | null = null
  /** The tree of the last scene: the engine sends only what changed. */
  #tree: TreeItem[] = []
  #state: EngineState = { kind: 'starting' }

  /** `onState` is told of every change of state. */
  constructor(
    private readonly onState: (state: EngineState) => void = () => undefined,
    private readonly spawn: () => Port = spawnWorker,
    private readonly limitMs = LIMIT_MS,
  ) {
    this.#start()
  }

  get state(): EngineState {
    return this.#state
  }

  /**
   * Calls a method of the engine. Of the calls that wait with the same `key` only the newest is made;
   * the others are rejected with `Superseded`. The call that is running is never interrupted by a newer one.
   */
  call<M extends Method>(method: M, args: Arguments[M], key?: string): Promise<Results[M]> {
    if (this.#state.kind === 'stopped') return Promise.reject(new EngineStopped('no start', 'the engine has stopped'))
    return new Promise((resolve, reject) => {
      if (key !== undefined) this.#supersede(key)
      this.#queue.push({ id: this.#next++, method, args, key, resolve: resolve as (value: never) => void, reject })
      this.#pump()
    })
  }

  /** Starts a fresh engine and loads the last good world into it. */
  restart(): void {
    this.#drop()
    this.#start()
    if (this.#lastGood) {
      this.#queue.unshift({ id: this.#next++, method: 'load', args: this.#lastGood, key: undefined, resolve: () => undefined, reject: () => undefined })
    }
  }

  /** Ends the worker; pending calls are rejected. */
  close(): void {
    this.#drop()
    this.#rejectAll(new EngineStopped('no start', 'closed'))
  }

  #supersede(key: string) {
    this.#queue = this.#queue.filter((waiting) => {
      if (waiting.key !== key) return true
      waiting.reject(new Superseded(key))
      return false
    })
  }

  #set(state: EngineState) {
    this.#state = state
    this.onState(state)
  }

  #start() {
    this.#ready = false
    this.#tree = []
    this.#set({ kind: 'starting' })
    const port = this.spawn()
    this.#port = port
    port.onmessage = ({ data }) => {
      if (port === this.#port) this.#receive(data)
    }
    port.onerror = (event) => {
      if (port === this.#port) this.#stop('no start', event.message ?? 'the worker could not be loaded')
    }
  }

  #drop() {
    clearTimeout(this.#watch)
    this.#port?.terminate()
    this.#port = null
    this.#ready = false
  }

  #receive(data: Answer) {
    if (data.kind === 'ready') {
      this.#ready = true
      this.#set({ kind: 'ready' })
    } else if (data.kind === 'failed') {
      this.#stop('no start', data.report)
    } else if (this.#running?.id === data.id) {
      const done = this.#running
      clearTimeout(this.#watch)
      this.#running = null
      if (data.kind === 'result') {
        done.resolve(this.#read(done, data.text) as never)
      } else if (data.fatal) {
        done.reject(new EngineStopped('trap', data.message))
        this.#stop('trap', `${done.method}: ${data.message}`)
      } else {
        done.reject(new Error(data.message))
      }
    }
    this.#pump()
  }

  /** What the engine gave, whole: it leaves out what the page has, and says nothing twice. */
  #read({ method, args }: Waiting, text: string): unknown {
    const value: unknown = JSON.parse(text)
    if (method === 'load' && (value as Results['load']).fresh) this.#lastGood = args
    if (method === 'scene') this.#complete(value as Scene)
    if (method !== 'send') return value
    const sent = withHeaders(value as Sent.SendResult)
    if (sent.error === undefined) this.#complete(sent.scene)
    return sent
  }

  #complete(scene: Scene) {
    this.#tree = scene.tree = whole(scene.tree, this.#tree)
  }

  #pump() {
    if (!this.#ready || this.#running) return
    const next = this.#queue.shift()
    if (!next) return
    this.#running = next
    this.#watch = setTimeout(() => this.#tooLong(next), this.limitMs)
    this.#port?.postMessage({ id: next.id, method: next.method, args: next.args })
  }

  #tooLong(call: Waiting) {
    this.#running = null
    call.reject(new EngineStopped('too long', `${call.method} took longer than ${this.limitMs / 1000} s and was stopped`))
    // The world that took too long is not the last good one, so the fresh engine starts from one that worked.
    if (this.#lastGood && call.method === 'load' && call.args === this.#lastGood) this.#lastGood = null
    this.restart()
  }

  #stop(cause: 'trap' | 'no start', report: string) {
    this.#drop()
    this.#running?.reject(new EngineStopped(cause, report))
    this.#running = null
    this.#rejectAll(new EngineStopped(cause, report))
    this.#set({ kind: 'stopped', report })
  }

  #rejectAll(error: Error) {
    for (const waiting of this.#queue.splice(0)) waiting.reject(error)
  }
}
