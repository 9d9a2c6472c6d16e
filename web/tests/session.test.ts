import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Document } from '../src/document/document.svelte'
import { EngineClient, type EngineState } from '../src/engine/client'
import { methods } from '../src/engine/methods'
import type { Answer, Call, Port } from '../src/engine/rpc'
import { Picking, selectShape } from '../src/player/picking.svelte'
import { Session } from '../src/player/session.svelte'
import { Engine } from './mock/engine'

/** A worker that answers at once with the mock engine. */
class MockPort implements Port {
  onmessage: ((event: { data: Answer }) => void) | null = null
  onerror: ((event: { message?: string }) => void) | null = null
  engine = new Engine()
  silent = false
  constructor(private readonly log: Call[]) {
    queueMicrotask(() => this.onmessage?.({ data: { kind: 'ready' } }))
  }
  postMessage(call: Call) {
    this.log.push(call)
    if (this.silent) return
    queueMicrotask(() => {
      try {
        const method = methods[call.method] as (engine: Engine, ...args: unknown[]) => string
        this.onmessage?.({ data: { kind: 'result', id: call.id, text: method(this.engine, ...structuredClone(call.args)) } })
      } catch (error) {
        this.onmessage?.({ data: { kind: 'error', id: call.id, message: String(error), fatal: error instanceof WebAssembly.RuntimeError } })
      }
    })
  }
  terminate() {
    this.onmessage = null
  }
}

const SHOP = { name: 'shop.yaml', text: 'kind: Service\n' }
const settle = () => vi.advanceTimersByTimeAsync(400)

function begin() {
  vi.stubGlobal('requestAnimationFrame', (step: (now: number) => void) => setTimeout(() => step(Date.now()), 16))
  vi.stubGlobal('cancelAnimationFrame', (id: number) => clearTimeout(id))
  const calls: Call[] = []
  const ports: MockPort[] = []
  const document = new Document()
  document.replace({ title: 'x', files: [SHOP] }, 'x')
  const session = new Session(document, (onState: (state: EngineState) => void) => new EngineClient(onState, () => {
    const port = new MockPort(calls)
    ports.push(port)
    return port
  }))
  session.view.resize({ w: 824, h: 508 })
  session.player.reduced = true
  session.changed()
  return { session, document, calls, ports }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('Session', () => {
  it('loads, draws, and fills the request with something that can be sent', async () => {
    const { session } = begin()
    await settle()
    expect(session.load?.fresh).toBe(true)
    expect(session.view.scene?.shapes.length).toBeGreaterThan(10)
    expect(session.ask.from).toBe('shop/client')
  })

  it('keeps a request that was sent before the engine was there', async () => {
    const { session } = begin()
    session.ask = { from: 'shop/client', to: 'http://cart.shop/', method: 'GET' }
    void session.send()
    expect(session.sending).toBe(true)
    await settle()
    expect(session.sending).toBe(false)
    expect(session.result?.outcome).toBe('delivered')
  })

  it('sends the same request with the same seed after an edit, and stays at the hop', async () => {
    const { session, document, calls } = begin()
    await settle()
    await session.send()
    session.player.seek(7)
    document.edit('shop.yaml', 'kind: Service\n# more\n')
    session.changed()
    await settle()
    const sends = calls.filter((call) => call.method === 'send')
    expect(sends).toHaveLength(2)
    // The same request, after the time that passed.
    const timeless = (call?: (typeof sends)[number]) => call?.args.map((of) => ({ ...(of as object), afterMs: 0 }))
    expect(timeless(sends[1])).toEqual(timeless(sends[0]))
    expect(session.player.index).toBe(7)
  })

  it('keeps drawing and path of the last good world while the texts cannot be read', async () => {
    const { session, document, calls } = begin()
    await settle()
    await session.send()
    document.edit('shop.yaml', 'kind: [\n')
    session.changed()
    await settle()
    expect(session.stale).toBe(true)
    expect(session.load?.diagnostics).toHaveLength(1)
    expect(session.result).not.toBeNull()
    expect(calls.filter((call) => call.method === 'send')).toHaveLength(1)
    document.edit('shop.yaml', 'kind: Service\n')
    session.changed()
    await settle()
    expect(session.stale).toBe(false)
  })

  it('says why a request cannot be asked, and takes it up again when it can', async () => {
    const { session } = begin()
    await settle()
    session.ask = { from: 'nowhere', to: 'http://cart.shop/', method: 'GET' }
    await session.send()
    expect(session.refusal).toBe('there is no pod nowhere')
    expect(session.player.timeline).toBeNull()
    session.ask = { from: ' ', to: 'x', method: 'GET' }
    await session.send()
    expect(session.refusal).toBe('Say where the request starts.')
  })

  it('draws the last good world of texts that were kept with an error', async () => {
    const { session, document, calls } = begin()
    document.readable = [SHOP]
    document.edit('shop.yaml', 'spec: [')
    session.changed()
    await settle()
    expect(calls.filter((call) => call.method === 'load').map((call) => JSON.stringify(call.args))).toEqual([[SHOP], [{ ...SHOP, text: 'spec: [' }]].map((files) => JSON.stringify([files, []])))
    expect(session.stale).toBe(true)
    expect(session.view.scene?.shapes.length).toBeGreaterThan(10)
    expect(document.readable).toEqual([SHOP])
  })

  it('keeps what is typed in the document, undoes it there, and tells of lines that do nothing any more', async () => {
    const { session, document, calls } = begin()
    await settle()
    await session.exec('host:ann', 'ip addr')
    expect(document.world.typed).toBeUndefined()
    await session.exec('host:ann', 'ip addr add 10.0.0.1/24 dev eth0')
    await session.exec('host:gone', 'ip addr add 10.0.0.2/24 dev eth0')
    session.changed()
    await settle()
    expect(calls.findLast((call) => call.method === 'load')?.args[1]).toEqual(document.world.typed)
    expect(session.notice).toContain('host:gone $ ip addr add 10.0.0.2/24 dev eth0: no such host')
    document.undo()
    session.changed()
    await settle()
    expect(session.notice).toBeNull()
    expect(document.world.typed).toEqual([{ place: 'host:ann', line: 'ip addr add 10.0.0.1/24 dev eth0' }])
    expect(document.undoLabel).toBe('ip addr add 10.0.0.1/24 dev eth0')
  })

  it('survives a trap: the files stay, and a restart draws what can be drawn', async () => {
    const { session, document, ports } = begin()
    await settle()
    document.edit('shop.yaml', 'TRAP')
    session.changed()
    await settle()
    expect(session.engineState.kind).toBe('stopped')
    expect(document.activeFile?.text).toBe('TRAP')
    expect(session.view.scene).not.toBeNull()
    document.edit('shop.yaml', 'kind: Service\n')
    session.restart()
    await settle()
    expect(ports).toHaveLength(2)
    expect(session.engineState.kind).toBe('ready')
    expect(session.load?.fresh).toBe(true)
  })

  it('ends a call that takes too long, says so, and shows that the drawing is stale', async () => {
    const { session, document, ports } = begin()
    await settle()
    const [port] = ports
    if (port) port.silent = true
    document.edit('shop.yaml', 'slow')
    session.changed()
    await vi.advanceTimersByTimeAsync(5500)
    expect(session.notice).toContain('longer than 5 s')
    expect(session.stale).toBe(true)
    document.edit('shop.yaml', 'kind: Service\n')
    session.changed()
    await settle()
    expect(session.stale).toBe(false)
    expect(session.notice).toBeNull()
  })
})

describe('picking and selecting', () => {
  it('takes a source, then a target, and sends', async () => {
    const { session } = begin()
    await settle()
    const picking = new Picking(session)
    picking.start()
    const shape = (id: string) => session.view.shape(id) ?? { source: undefined, targets: [] }
    expect(picking.take(shape('service:shop/web'))).toBe(false)
    expect(picking.take(shape('pod:shop/cart-t4w6j'))).toBe(true)
    expect(picking.take(shape('service:shop/web'))).toBe(true)
    await settle()
    expect(session.ask).toMatchObject({ from: 'shop/cart-t4w6j', to: 'http://web.shop/' })
    expect(session.result).not.toBeNull()
    expect(picking.step).toBeNull()
  })
  it('takes the first click on a pod as the start of a request, and later clicks as a look', async () => {
    const { session } = begin()
    await settle()
    const picking = new Picking(session)
    const thing = (id: string) => session.view.shape(id) ?? { source: undefined, targets: [] }
    expect(picking.take(thing('pod:shop/client'))).toBe(false)
    expect(picking.step).toBe('target')
    expect(picking.take(thing('service:shop/cart'))).toBe(true)
    await settle()
    expect(session.result).not.toBeNull()
    expect(picking.take(thing('pod:shop/client'))).toBe(false)
    expect(picking.step).toBeNull()
    const locked = new Picking(begin().session, () => false)
    expect(locked.take(thing('pod:shop/client'))).toBe(false)
    expect(locked.step).toBeNull()
  })
  it('goes to the hop of a box that is on the current leg', async () => {
    const { session } = begin()
    await settle()
    await session.send()
    session.player.seek(5)
    selectShape(session, 'hook:node:worker-1/FORWARD')
    expect(session.player.stop?.name).toBe('FORWARD')
    selectShape(session, 'service:shop/web')
    expect(session.player.stop?.name).toBe('FORWARD')
    expect(session.view.selected).toBe('service:shop/web')
  })
})
