import { readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { EMPTY, freeName, nameTrouble, smallestChange, withFile, withText } from '../src/document/files'
import { begin, change, redo, undo } from '../src/document/history'
import { FILE_LIMIT, looksLikeManifest, take } from '../src/document/intake'
import { fromFragment, toFragment } from '../src/document/link'
import { decode, encode, Unreadable } from '../src/document/saved'
import { Document } from '../src/document/document.svelte'

const shop = { title: 'shop', files: [{ name: 'shop.yaml', text: 'kind: Service\n' }] }

describe('files', () => {
  it('finds a name that is free, before the ending', () => {
    const files = [{ name: 'a.yaml', text: '' }, { name: 'a-2.yaml', text: '' }]
    expect(freeName(files, 'a.yaml')).toBe('a-3.yaml')
    expect(freeName(files, 'b.yaml')).toBe('b.yaml')
    expect(nameTrouble(files, 'a.yaml')).toContain('already')
    expect(nameTrouble(files, 'a.yaml', 'a.yaml')).toBeNull()
    expect(nameTrouble(files, '  ')).not.toBeNull()
    expect(nameTrouble(files, 'a\u0000b')).not.toBeNull()
  })

  it.each([
    ['abc', 'abXc'], ['aaa', 'aa'], ['', 'x'], ['x', ''], ['abcabc', 'abc'], ['a\nb\n', 'a\nb\nc\n'],
  ])('replaces one stretch to get from %j to %j', (before, after) => {
    const c = smallestChange(before, after)
    expect(c && before.slice(0, c.from) + c.insert + before.slice(c.to)).toBe(after)
  })
})

describe('history', () => {
  it('undoes typing of one file in one step, and other changes each in their own', () => {
    let h = begin(shop)
    h = change(h, withText(h.now.world, 'shop.yaml', 'a'), 'edit', 'edit shop.yaml', 1000)
    h = change(h, withText(h.now.world, 'shop.yaml', 'ab'), 'edit', 'edit shop.yaml', 1200)
    h = change(h, withFile(h.now.world, { name: 'b.yaml', text: '' }), 'new file', null, 1300)
    h = change(h, withText(h.now.world, 'shop.yaml', 'abc'), 'edit', 'edit shop.yaml', 1400)
    expect(h.past).toHaveLength(3)
    h = undo(undo(h))
    expect(h.now.world.files).toEqual([{ name: 'shop.yaml', text: 'ab' }])
    h = undo(h)
    expect(h.now.world).toBe(shop)
    expect(undo(h)).toBe(h)
    h = redo(h)
    expect(h.now.world.files[0]?.text).toBe('ab')
  })
})

describe('saved form', () => {
  it('opens a world that was saved in format 1', () => {
    const saved = decode(readFileSync(new URL('./fixtures/world-format-1.json', import.meta.url), 'utf8'))
    expect(saved.title).toBe('shop on three nodes')
    expect(saved.files.map((file) => file.name)).toEqual(['shop.yaml', '<img src=x onerror=alert(1)>.yaml'])
    expect(saved.request).toEqual({ from: 'shop/client', to: 'http://cart.shop/', method: 'GET' })
  })
  it('writes what it reads', () => {
    const saved = { ...shop, request: null, readable: [{ name: 'a.yaml', text: '' }], typed: [{ place: 'host:ann', line: 'ip link set eth0 up' }] }
    expect(decode(encode(saved))).toEqual(saved)
  })
  it.each(['', '[]', '{"format":99,"files":[]}', '{"format":1}', '{"format":1,"files":[{"name":1}]}'])('refuses %j with a reason', (text) => {
    expect(() => decode(text)).toThrow(Unreadable)
  })
})

describe('link', () => {
  it('carries a world in the fragment', async () => {
    const saved = { title: 'Ünïcode', files: [{ name: 'a.yaml', text: 'kind: Pod\n'.repeat(500) }], request: { from: 'a/b', to: 'http://x/', method: 'GET' }, readable: null }
    const fragment = await toFragment(saved)
    expect(fragment).toMatch(/^#w1=[\w-]+$/)
    expect(fragment.length).toBeLessThan(400)
    expect(await fromFragment(fragment)).toEqual(saved)
  })
  it('opens a link made in format 1', async () => {
    const fragment = readFileSync(new URL('./fixtures/link-format-1.txt', import.meta.url), 'utf8').trim()
    expect((await fromFragment(fragment)).files[0]?.name).toBe('shop.yaml')
  })
  it('says that a damaged or a newer link cannot be opened', async () => {
    await expect(fromFragment('#w1=AAAA')).rejects.toThrow('damaged')
    await expect(fromFragment('#w2=AAAA')).rejects.toThrow('newer')
  })
})

describe('intake', () => {
  const file = (path: string, size = 10, text = 'kind: Pod') => ({ path, size, text: vi.fn(async () => text) })
  it('refuses a file of 50 MB without reading it', async () => {
    const big = file('big.yaml', 50_000_000)
    const intake = await take([big])
    expect(intake.files).toEqual([])
    expect(intake.refused[0]).toContain('50.0 MB')
    expect(big.text).not.toHaveBeenCalled()
    expect(FILE_LIMIT).toBeLessThan(50_000_000)
  })
  it('takes manifests of a folder by name and passes over the rest', async () => {
    const intake = await take([file('app/b.yml'), file('app/README.md'), file('app/a.yaml'), file('app/c.json')])
    expect(intake.files.map((f) => f.name)).toEqual(['app/a.yaml', 'app/b.yml', 'app/c.json'])
    expect(intake.passedOver).toBe(1)
  })
  it('knows a pasted manifest from other text', () => {
    expect(looksLikeManifest('apiVersion: v1\nkind: Pod')).toBe(true)
    expect(looksLikeManifest(`{"apiVersion": "v1"}`)).toBe(true)
    expect(looksLikeManifest('{\n "apiVersion": "v1"}')).toBe(true)
    expect(looksLikeManifest('hello')).toBe(false)
  })
})

describe('Document', () => {
  it('brings back at the next visit what was typed', async () => {
    let kept: string | null = null
    const keeper = { read: async () => kept, write: async (text: string) => void (kept = text) }
    const first = new Document(keeper)
    first.replace(shop, 'example')
    first.edit('shop.yaml', 'kind: [')
    await first.flush()
    const second = new Document(keeper)
    expect(await second.restore()).toBe(true)
    expect(second.activeFile?.text).toBe('kind: [')
  })
  it('says so when the browser keeps nothing, and when what it kept cannot be read', async () => {
    const full = new Document({ read: async () => 'rubbish', write: () => Promise.reject(new Error('full')) })
    expect(await full.restore()).toBe(false)
    expect(full.trouble).toContain('not JSON')
    full.replace(shop, 'x')
    await full.flush()
    expect(full.trouble).toContain('keeps nothing')
    expect(full.world).toBe(shop)
  })
  it('shows another file when the one shown is removed, and undo brings it back', () => {
    const document = new Document()
    document.replace(shop, 'x')
    document.add({ name: 'shop.yaml', text: 'b' })
    expect(document.active).toBe('shop-2.yaml')
    document.remove('shop-2.yaml')
    expect(document.active).toBe('shop.yaml')
    document.undo()
    expect(document.world.files).toHaveLength(2)
    document.undo()
    document.undo()
    expect(document.world).toBe(EMPTY)
  })
})
