// What goes between the page and the engine's worker.
import type { CheckReport, ExecResult, LoadResult, Place, Scene, SceneOptions, SendRequest, SourceFile, TypedLine } from './generated/hoplab_bindings.js'
import type { SendResult } from './timeline'

/** The engine's methods that can be called from the page. */
export type Method = 'load' | 'scene' | 'place' | 'send' | 'exec' | 'check' | 'svg'

/** Arguments of each method. */
export interface Arguments {
  load: [sources: SourceFile[], typed: TypedLine[]]
  scene: [options: SceneOptions]
  place: [id: string]
  send: [request: SendRequest]
  exec: [place: string, line: string]
  check: [checks: SourceFile[]]
  svg: [options: SceneOptions]
}

/** Results of each method. */
export interface Results {
  load: LoadResult
  scene: Scene
  place: Place | null
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

/** Worker to page. `text`: the result as JSON. `fatal`: the engine trapped and its memory is not to be trusted. */
export type Answer =
  | { kind: 'ready' }
  | { kind: 'failed'; report: string }
  | { kind: 'result'; id: number; text: string }
  | { kind: 'error'; id: number; message: string; fatal: boolean }

/** The part of `Worker` that the client uses. */
export interface Port {
  postMessage(call: Call): void
  terminate(): void
  onmessage: ((event: { data: Answer }) => void) | null
  onerror: ((event: { message?: string }) => void) | null
}
