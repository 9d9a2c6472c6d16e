import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EngineClient, EngineStopped, Superseded, type EngineState, type LoadResult } from '../src/engine/client'
import type { TreeItem } from '../src/engine/client'
import { endsOf, whole } from '../src/engine/tree'
import type { Answer, Call, Port } from '../src/engine/rpc'

class FakePort implements Port {
  calls: Call[] = []
  ended = false
  onmessage: ((event: { data: Answer }) => void) | null = null
  onerror: ((event: { message?: string }) => void) | null = null
  postMessage(call: Call) {
    this.calls.push(call)
  }
  terminate() {
    this.ended = true
  }
  say(data: Answer) {
    this.onmessage?.({ data })
  }
  finish(value: unknown) {
    this.say({ kind: 'result', id: this.calls.at(-1)?.id ?? -1, text: JSON.stringify(value) })
  }
}

const world = [{ name: 'a.yaml', text: 'a: 1' }]
const loaded = (fresh: boolean): LoadResult => ({ fresh, revision: 1, diagnostics: [], objects: 0, summary: '', first: undefined, failed: [] })

function start() {
  const ports: FakePort[] = []
  const states: EngineState[] = []
  const client = new EngineClient((state) => states.push(state), () => {
    const port = new FakePort()
    ports.push(port)
    return port
  })
  const port = () => ports.at(-1) as FakePort
  return { client, ports, port, states }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('EngineClient', () => {
  it('keeps calls until the engine is ready, then makes them one at a time', async () => {
    const { client, port } = start()
    const first = client.call('exec', ['node:w', 'ip a'])
    const second = client.call('exec', ['node:w', 'ip r'])
    expect(port().calls).toHaveLength(0)
    port().say({ kind: 'ready' })
    expect(port().calls).toHaveLength(1)
    port().finish({ output: 'one', status: 0 })
    expect(await first).toEqual({ output: 'one', status: 0 })
    port().finish({ output: 'two', status: 0 })
    expect((await second).output).toBe('two')
  })

  it('makes only the newest of the waiting calls with one key', async () => {
    const { client, port } = start()
    port().say({ kind: 'ready' })
    const running = client.call('load', [world, []], 'load')
    const stale = client.call('load', [world, []], 'load')
    const newest = client.call('load', [[], []], 'load')
    await expect(stale).rejects.toBeInstanceOf(Superseded)
    port().finish(loaded(true))
    await running
    port().finish(loaded(true))
    await newest
    expect(port().calls).toHaveLength(2)
  })

  it('stops on a trap, keeps the report, and restarts with the last good world', async () => {
    const { client, ports, port, states } = start()
    port().say({ kind: 'ready' })
    const load = client.call('load', [world, []])
    port().finish(loaded(true))
    await load
    const send = client.call('exec', ['x', 'y'])
    const waiting = client.call('exec', ['x', 'z'])
    port().say({ kind: 'error', id: port().calls.at(-1)?.id ?? 0, message: 'unreachable', fatal: true })
    await expect(send).rejects.toBeInstanceOf(EngineStopped)
    await expect(waiting).rejects.toBeInstanceOf(EngineStopped)
    expect(states.at(-1)).toEqual({ kind: 'stopped', report: 'exec: unreachable' })
    await expect(client.call('exec', ['x', 'y'])).rejects.toBeInstanceOf(EngineStopped)
    client.restart()
    expect(ports).toHaveLength(2)
    port().say({ kind: 'ready' })
    expect(port().calls[0]?.method).toBe('load')
    expect(port().calls[0]?.args[0]).toBe(world)
  })

  it('ends a call that takes too long and starts again', async () => {
    const { client, ports, port } = start()
    port().say({ kind: 'ready' })
    const load = client.call('load', [world, []])
    port().finish(loaded(true))
    await load
    const slow = client.call('exec', ['x', 'sleep'])
    const failed = expect(slow).rejects.toThrow('longer than 5 s')
    vi.advanceTimersByTime(5001)
    await failed
    expect(ports[0]?.ended).toBe(true)
    port().say({ kind: 'ready' })
    expect(port().calls[0]?.method).toBe('load')
    expect(client.state.kind).toBe('ready')
  })

  it('does not take a world that could not be read for a good one', async () => {
    const { client, port } = start()
    port().say({ kind: 'ready' })
    const load = client.call('load', [world, []])
    port().finish(loaded(false))
    await load
    client.restart()
    port().say({ kind: 'ready' })
    expect(port().calls).toHaveLength(0)
  })
})

describe('the tree', () => {
  const row = (id: string, children: TreeItem[] = [], more: Partial<TreeItem> = {}): TreeItem => ({ id, kind: 'pod', label: id, value: '', shape: undefined, source: undefined, targets: [], written: false, children, same: false, ...more })
  const same = (id: string): TreeItem => row(id, [], { label: '', same: true })

  it('takes rows that are the same from the tree before, wherever they stand now', () => {
    const before = [row('a', [row('a1'), row('a2')]), row('b', [row('b1')])]
    const now = whole([same('b'), row('a', [row('a0'), same('a2')])], before)
    expect(now).toEqual([before[1], row('a', [row('a0'), row('a2')])])
    expect(now[0]).toBe(before[1])
    expect(() => whole([same('c')], before)).toThrow('c')
  })

  it('is whole for the page, also in a fresh engine', async () => {
    const { client, port } = start()
    port().say({ kind: 'ready' })
    const scene = async (tree: TreeItem[]) => {
      const called = client.call('scene', [{ density: 'wide', width: 1, height: 1, keep: [] }])
      port().finish({ width: 1, height: 1, shapes: [], edges: [], tree })
      return (await called).tree
    }
    expect(await scene([row('a', [row('a1')]), row('b')])).toHaveLength(2)
    expect(await scene([same('a'), row('b', [row('b1')])])).toEqual([row('a', [row('a1')]), row('b', [row('b1')])])
    client.restart()
    port().say({ kind: 'ready' })
    expect(await scene([row('a')])).toEqual([row('a')])
  })

  it('says where requests can start and go, each once', () => {
    const tree = [row('n', [row('p', [], { source: 'shop/p', targets: ['http://p/'], value: '10.0.0.1', shape: 'pod:p' })], { kind: 'node', label: 'worker-1', source: 'node:n' }), row('s', [], { kind: 'service', targets: ['http://p/', 'http://s/'] })]
    expect(endsOf(tree)).toEqual({
      sources: [{ value: 'node:n', label: 'worker-1', detail: 'node', shape: undefined }, { value: 'shop/p', label: 'p', detail: 'pod in worker-1, 10.0.0.1', shape: 'pod:p' }],
      targets: [{ value: 'http://p/', label: 'p', detail: 'pod in worker-1, 10.0.0.1', shape: 'pod:p' }, { value: 'http://s/', label: 's', detail: 'service', shape: undefined }],
    })
  })
})
