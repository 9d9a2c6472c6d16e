// The other half of client.ts: runs the engine off the page's thread. Nothing but these two files names the wasm module.
import init, { Engine } from './generated/hoplab_bindings.js'
import wasmUrl from './generated/hoplab_bindings_bg.wasm?url'
import { methods } from './methods'
import type { Answer, Call } from './rpc'

const answer = (message: Answer) => self.postMessage(message)

const describe = (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error))

async function start() {
  let engine: Engine
  try {
    await init({ module_or_path: wasmUrl })
    engine = new Engine()
  } catch (error) {
    answer({ kind: 'failed', report: describe(error) })
    return
  }
  self.onmessage = ({ data }: MessageEvent<Call>) => {
    try {
      const method = methods[data.method] as (engine: Engine, ...args: unknown[]) => string
      answer({ kind: 'result', id: data.id, text: method(engine, ...data.args) })
    } catch (error) {
      // A trap (RuntimeError) leaves the wasm memory in an unknown state; so does running out of stack or memory.
      const fatal = error instanceof WebAssembly.RuntimeError || error instanceof RangeError
      answer({ kind: 'error', id: data.id, message: describe(error), fatal })
    }
  }
  answer({ kind: 'ready' })
}

void start()
