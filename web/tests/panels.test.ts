import { describe, expect, it } from 'vitest'
import { commandFor, isLetter, presses, type Command, type KeyPress } from '../src/panels/commands'
import { fetchExamples } from '../src/panels/examples'
import { headerGroups, placeText } from '../src/panels/headers'
import { matching } from '../src/panels/matching'
import { faultReport } from '../src/panels/report'
import { LineHistory, shownOutput } from '../src/panels/terminal'
import { stopAt, thumbAt } from '../src/panels/track'
import { closedAtFirst, rowsOf, stepInTree } from '../src/panels/tree'
import { shareText, verdictOf } from '../src/panels/verdict'
import { MockWorld } from './mock/engine'
import type { Stop, TreeItem } from '../src/engine/client'

const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more })
const around = { typing: false, onControl: false, letters: true, dialog: false }
const command = (id: string, ...keys: string[]): Command => ({ id, label: id, group: 'Help', keys, run: () => undefined })

describe('commands', () => {
  const all = [command('send', 'R', 'Ctrl+Enter'), command('play', 'Space'), command('undo', 'Ctrl+Z'), command('redo', 'Ctrl+Shift+Z'), command('fit', 'Shift+1'), command('help', '?'), command('on', '.')]
  const id = (event: KeyPress, more = {}) => commandFor(all, event, { ...around, ...more })?.id
  it('matches keys with their modifiers', () => {
    expect(id(press('r'))).toBe('send')
    expect(id(press('r', { ctrlKey: true }))).toBeUndefined()
    expect(id(press('z', { metaKey: true }))).toBe('undo')
    expect(id(press('Z', { ctrlKey: true, shiftKey: true }))).toBe('redo')
    expect(id(press('!', { shiftKey: true, code: 'Digit1' }))).toBe('fit')
    expect(id(press('?', { shiftKey: true }))).toBe('help')
    expect(presses('Shift+1', press('1', { code: 'Digit1' }))).toBe(false)
  })
  it('leaves letters to text, to people who turned them off, and to dialogs', () => {
    expect(id(press('r'), { typing: true })).toBeUndefined()
    expect(id(press('.'), { typing: true })).toBeUndefined()
    expect(id(press('Enter', { ctrlKey: true }), { typing: true })).toBe('send')
    expect(id(press('r'), { letters: false })).toBeUndefined()
    expect(id(press('z', { ctrlKey: true }), { letters: false })).toBe('undo')
    expect(id(press('r'), { dialog: true })).toBeUndefined()
  })
  it('leaves Space to the button that has the focus', () => {
    expect(id(press(' '))).toBe('play')
    expect(id(press(' '), { onControl: true })).toBeUndefined()
    expect(isLetter('Space')).toBe(false)
  })
  it('passes over a command that does not apply', () => {
    expect(commandFor([{ ...command('a', 'R'), when: () => false }, command('b', 'R')], press('r'), around)?.id).toBe('b')
  })
})

describe('finding', () => {
  const entries = [{ label: 'web', detail: 'Service in shop' }, { label: 'web-q4m7s', detail: 'pod in shop' }, { label: 'cart', detail: 'calls web' }]
  it('puts the name that is meant first, and needs every word', () => {
    expect(matching(entries, 'web').map((entry) => entry.label)).toEqual(['web', 'web-q4m7s', 'cart'])
    expect(matching(entries, 'pod web').map((entry) => entry.label)).toEqual(['web-q4m7s'])
    expect(matching(entries, 'nothing')).toEqual([])
    expect(matching(entries, ' ')).toHaveLength(3)
  })
})

describe('headers', () => {
  const engine = new MockWorld()
  const { timeline } = engine.send({ from: 'shop/client', to: 'http://cart.shop/', method: 'GET', headers: [], seed: 1, afterMs: 0, scene: { density: 'wide', width: 824, height: 508, keep: [] } })
  const stop = timeline.stops.find((candidate) => candidate.name === 'node network') as Stop
  it('marks what changed since it was sent, and names the rewriting', () => {
    const [outer, inner] = headerGroups(stop, 'sent', false)
    expect(outer?.title).toBe('IPv4, UDP, VXLAN')
    expect(outer?.bytes).toBe(50)
    expect(inner?.rows.find((row) => row.label === 'IP dst')).toMatchObject({ old: '10.96.118.52', now: '10.244.2.4', changed: true, rewritten: 'DNAT' })
    expect(inner?.rows.find((row) => row.label === 'IP TTL')).toMatchObject({ old: '64', now: '63', changed: true, rewritten: null })
  })
  it('marks nothing that only changed earlier when compared with the hop before', () => {
    expect(headerGroups(stop, 'before', false)[1]?.rows.some((row) => row.changed)).toBe(false)
  })
  it('hides what a path is not read by, and counts it', () => {
    const [outer] = headerGroups(stop, 'sent', false)
    expect(outer?.hidden).toBe(2)
    expect(headerGroups(stop, 'sent', true)[0]?.hidden).toBe(0)
  })
  it('writes a place as a file and a line', () => {
    expect(placeText({ file: 'shop.yaml', line: 25 })).toBe('shop.yaml:25')
    expect(placeText({ file: undefined, line: undefined })).toBeNull()
  })
})

describe('track', () => {
  it('finds the stop under every place and puts the thumb back onto it', () => {
    const counts = [3, 14, 9]
    for (let position = 0; position < 26; position++) expect(stopAt(counts, thumbAt(counts, position) - 1e-9)).toBe(position)
    expect(stopAt(counts, 0)).toBe(0)
    expect(stopAt(counts, 2)).toBe(25)
    expect(thumbAt([], 0)).toBe(1)
  })
})

describe('tree', () => {
  const item = (id: string, children: TreeItem[] = [], kind = 'pod'): TreeItem => ({ id, kind, label: id, value: '', shape: undefined, source: undefined, targets: [], written: false, children, same: false })
  const tree = [item('a', [item('a1'), item('a2')]), item('kube-system', [item('dns')], 'namespace')]
  const rows = rowsOf(tree, (one) => !closedAtFirst(one))
  it('lists what is open, with levels and positions', () => {
    expect(rows.map((row) => [row.item.id, row.level, row.position, row.siblings])).toEqual([['a', 1, 1, 2], ['a1', 2, 1, 2], ['a2', 2, 2, 2], ['kube-system', 1, 2, 2]])
  })
  it('moves as a tree does', () => {
    const at = (i: number) => rows[i] as (typeof rows)[number]
    expect(stepInTree(rows, at(0), 'ArrowRight')?.row?.item.id).toBe('a1')
    expect(stepInTree(rows, at(1), 'ArrowLeft')?.row?.item.id).toBe('a')
    expect(stepInTree(rows, at(0), 'ArrowLeft')).toEqual({ toggle: true })
    expect(stepInTree(rows, at(3), 'ArrowRight')).toEqual({ toggle: true })
    expect(stepInTree(rows, at(0), 'End')?.row?.item.id).toBe('kube-system')
    expect(stepInTree(rows, at(0), 'x')).toBeNull()
  })
})

describe('words', () => {
  const result = { outcome: 'delivered', verdict: 'allowed', status: 200, unknowns: [] }
  it('says how a request ended', () => {
    expect(verdictOf(result)).toEqual({ text: 'delivered, 200', kind: 'ok' })
    expect(verdictOf({ ...result, status: 503 }).kind).toBe('warn')
    expect(verdictOf({ ...result, verdict: 'unknown', unknowns: ['NetworkPolicy shop/deny'] }).kind).toBe('unknown')
    expect(verdictOf({ ...result, outcome: 'refused', status: undefined })).toEqual({ text: 'refused', kind: 'deny' })
  })
  it('writes a share as it is thought of', () => {
    expect([1, 0.5, 0.3333, 0.4, 0.001].map(shareText)).toEqual(['1 in 1', '1 in 2', '1 in 3', '40 %', '1 in 1000'])
  })
  it('shows control characters of hostile names as pictures', () => {
    expect(shownOutput('a\u001b[31mb\r\nc\u0000\td')).toBe('a␛[31mb\nc␀\td')
    expect(shownOutput('\u202egnp.exe')).toBe('\ufffdgnp.exe')
  })
  it('walks the lines typed before and gives the draft back', () => {
    const history = new LineHistory()
    history.add('ip addr')
    history.add('ip route')
    history.add('ip route')
    expect(history.step(-1, 'dr')).toBe('ip route')
    expect(history.step(-1, 'ip route')).toBe('ip addr')
    expect(history.step(-1, 'ip addr')).toBe('ip addr')
    history.step(1, '')
    expect(history.step(1, '')).toBe('dr')
  })
  it('puts the files into the report of a fault', () => {
    expect(faultReport('send: unreachable', { title: 'x', files: [{ name: 'a.yaml', text: 'kind: Pod' }] }, { from: 'a', to: 'b', method: 'GET' }, 'X')).toContain('--- a.yaml\nkind: Pod')
  })
})

describe('examples', () => {
  const answer = (body: unknown, status = 200) => () => Promise.resolve(new Response(JSON.stringify(body), { status }))
  it('takes what is an example and leaves the rest', async () => {
    const good = { id: 'a', title: 'A', summary: '', files: [{ name: 'a.yaml', text: '' }] }
    expect(await fetchExamples(answer([good, { id: 1 }, null]))).toEqual([{ ...good, request: null }])
  })
  it('says why there are none', async () => {
    await expect(fetchExamples(answer([], 404))).rejects.toThrow('404')
    await expect(fetchExamples(answer({}))).rejects.toThrow('not a list')
  })
})
