import { describe, expect, it } from 'vitest'
import { Document } from '../src/document/document.svelte'
import { since } from '../src/panels/since'
import { Worlds, type Claims } from '../src/document/worlds'

const file = (text: string) => ({ title: text, files: [{ name: 'a.yaml', text }] })

class Shelf {
  readonly map = new Map<string, string>()
  constructor(private readonly limit = Infinity) {}
  getItem = (key: string) => this.map.get(key) ?? null
  setItem = (key: string, value: string) => {
    if (value.length > this.limit) throw new Error('full')
    this.map.set(key, value)
  }
  removeItem = (key: string) => void this.map.delete(key)
}

/** One browser: its store is shared by all tabs, and so are the claims. */
function browser(limit?: number) {
  const [store, held, large] = [new Shelf(limit), new Set<string>(), new Map<string, string>()]
  let [ids, clock] = [0, 0]
  const tab = (session = new Shelf()) => {
    const mine = new Set<string>()
    const claims: Claims = {
      claim: async (id) => {
        if (held.has(id) && !mine.has(id)) return false
        held.add(id)
        mine.add(id)
        return true
      },
      release: (id) => {
        held.delete(id)
        mine.delete(id)
      },
    }
    const keeper = { read: async (key: string) => large.get(key) ?? null, write: async (key: string, text: string) => void large.set(key, text), remove: async (key: string) => void large.delete(key) }
    const worlds = new Worlds(store, session, claims, keeper, () => `w${++ids}`, () => ++clock)
    return { worlds, session, document: new Document(worlds), close: () => mine.forEach((id) => held.delete(id)) }
  }
  return { tab, store, large }
}

describe('worlds of several tabs', () => {
  it('never writes one over the other, and each comes back to its own', async () => {
    const { tab } = browser()
    const [a, b] = [tab(), tab()]
    await a.document.restore()
    a.document.replace(file('one'), 'x')
    await a.document.flush()
    expect(await b.document.restore()).toBe(false)
    b.document.replace(file('two'), 'x')
    await b.document.flush()
    a.document.edit('a.yaml', 'one more')
    await a.document.flush()
    a.close()
    b.close()
    for (const [old, text] of [[b, 'two'], [a, 'one more']] as const) {
      const again = tab(old.session)
      expect(await again.document.restore()).toBe(true)
      expect(again.document.activeFile?.text).toBe(text)
    }
  })

  it('opens the newest world in a new tab, if no other tab has it', async () => {
    const { tab } = browser()
    const a = tab()
    await a.document.restore()
    a.document.replace(file('one'), 'x')
    await a.document.flush()
    a.close()
    const b = tab()
    expect(await b.document.restore()).toBe(true)
    expect(b.document.world.title).toBe('one')
  })

  it('goes on with a copy in a tab that was copied', async () => {
    const { tab } = browser()
    const a = tab()
    await a.document.restore()
    a.document.replace(file('one'), 'x')
    await a.document.flush()
    const session = new Shelf()
    a.session.map.forEach((value, key) => session.setItem(key, value))
    const copy = tab(session)
    expect(await copy.document.restore()).toBe(true)
    copy.document.edit('a.yaml', 'changed')
    await copy.document.flush()
    const again = tab(a.session)
    a.close()
    await again.document.restore()
    expect(again.document.activeFile?.text).toBe('one')
  })

  it('keeps what was open when another world takes its place, and leads back to it', async () => {
    const { tab } = browser()
    const a = tab()
    await a.document.restore()
    a.document.replace(file('mine'), 'x')
    a.document.begin(file('example'), 'x')
    await a.document.flush()
    const [kept] = a.worlds.recent()
    expect(kept?.title).toBe('mine')
    expect(JSON.parse((await a.worlds.take(kept?.id ?? '')) ?? '{}')).toMatchObject({ title: 'mine' })
    expect(a.worlds.recent().map((world) => world.title)).toEqual(['example'])
  })

  it('takes over the one world of before, leaves empty ones out, and keeps large ones elsewhere', async () => {
    const { tab, store, large } = browser(400)
    store.map.set('hoplab.world', JSON.stringify({ format: 1, title: 'old', files: [{ name: 'a.yaml', text: 'x' }], request: null }))
    const a = tab()
    expect(await a.document.restore()).toBe(true)
    a.document.begin({ title: 'New world', files: [] }, 'new')
    await a.document.flush()
    expect(a.worlds.recent().map((world) => world.title)).toEqual(['World'])
    a.document.replace(file('y'.repeat(500)), 'x')
    await a.document.flush()
    expect(large.size).toBe(1)
    const again = tab(a.session)
    a.close()
    expect(await again.document.restore()).toBe(true)
    expect(again.document.activeFile?.text).toHaveLength(500)
  })

  it('does not write over a world that it cannot read', async () => {
    const { tab, store } = browser()
    store.map.set('hoplab.worlds', JSON.stringify([{ id: 'w9', title: 'later', at: 1, files: 1 }]))
    store.map.set('hoplab.world.w9', '{"format":99}')
    const a = tab()
    expect(await a.document.restore()).toBe(false)
    a.document.replace(file('new'), 'x')
    await a.document.flush()
    expect(store.map.get('hoplab.world.w9')).toBe('{"format":99}')
  })
})

it('says how long ago something was', () => {
  expect([0, 60_000, 2 * 3_600_000, 86_400_000].map((ago) => since(0, ago))).toEqual(['just now', '1 minute ago', '2 hours ago', '1 day ago'])
})
