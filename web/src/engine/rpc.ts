// What goes between the page and the engine's worker.
import type { CheckReport, Engine, ExecResult, LoadResult, Place, Scene, SendResult } from './generated/hoplab_bindings.js'

/** The engine's methods that can be called from the page. */
export type Method = 'load' | 'scene' | 'place' | 'send' | 'exec' | 'check' | 'svg'

/** Arguments of each method, as the engine declares them. */
export type Arguments = { [M in Method]: Parameters<Engine[M]> }

/** Results of each method. */
export interface Results {
  load: LoadResult
  scene: Scene
  place: Place | undefined
  send: SendResult
  exec: ExecResult
  check: CheckReport
  svg: string
}

/** Page to worker. */
export interface Call {
  id: number
  method: Method
  args: unknown[]
}

/** Worker to page. `fatal`: the engine trapped and its memory is not to be trusted. */
export type Answer =
  | { kind: 'ready' }
  | { kind: 'failed'; report: string }
  | { kind: 'result'; id: number; value: unknown }
  | { kind: 'error'; id: number; message: string; fatal: boolean }

/** The part of `Worker` that the client uses. */
export interface Port {
  postMessage(call: Call): void
  terminate(): void
  onmessage: ((event: { data: Answer }) => void) | null
  onerror: ((event: { message?: string }) => void) | null
}
