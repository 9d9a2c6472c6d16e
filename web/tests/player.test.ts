import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { timeText } from '../src/player/clock'
import { hurryTo, legStep, nearestShown, paceOf, sameStop } from '../src/player/sequence'
import { formatTarget, namesKind, parseTarget, withKind } from '../src/player/target'
import { Player } from '../src/player/player.svelte'
import { MockWorld } from './mock/engine'
import type { Stop, Timeline } from '../src/engine/client'

const engine = new MockWorld()
engine.load([{ name: 'shop.yaml', text: '' }], [])
const send = (width: number) => engine.send({ from: 'shop/client', to: 'http://cart.shop/', method: 'GET', headers: [], seed: 1, afterMs: 0, scene: { density: 'wide', width, height: 508, keep: [] } }).timeline
const timeline: Timeline = send(824)
const all = timeline.stops.map((_, i) => i)

describe('targets', () => {
  it.each(['http://cart.shop/', 'https://cart.shop/a?b', 'cart.shop:80', 'udp:kube-dns.kube-system:53', 'icmp:10.244.1.3', 'dns:cart.shop/A'])('keeps %s as it is', (to) => {
    expect(formatTarget(parseTarget(to))).toBe(to)
  })
  it('completes what is typed', () => {
    expect(formatTarget({ kind: 'http', address: 'cart.shop' })).toBe('http://cart.shop/')
    expect(formatTarget({ kind: 'dns', address: 'cart.shop' })).toBe('dns:cart.shop/A')
    expect(namesKind(' HTTP://x')).toBe(true)
    expect(namesKind('cart.shop:80')).toBe(false)
  })
  it.each([
    ['http://cart.shop:8080/x', 'tcp', 'cart.shop:8080'], ['http://cart.shop/', 'icmp', 'cart.shop'], ['cart.shop:80', 'http', 'http://cart.shop/'],
    ['https://cart.shop/', 'tcp', 'cart.shop:443'], ['dns:cart.shop/AAAA', 'http', 'http://cart.shop/'], ['http://[fd00::1]:80/', 'tcp', '[fd00::1]:80'], ['pod:shop/web:8080', 'icmp', 'pod:shop/web'], ['icmp:10.0.0.1', 'dns', '10.0.0.1/A'],
  ] as const)('takes %s along when it becomes %s', (to, kind, address) => {
    expect(withKind(parseTarget(to), kind).address).toBe(address)
  })
})

describe('sequence', () => {
  it('goes back to the start of a leg before the leg before it', () => {
    const syn = timeline.legs[1]
    if (!syn) throw new Error('no leg')
    expect(legStep(timeline, all, syn.first + 3, -1)).toBe(syn.first)
    expect(legStep(timeline, all, syn.first, -1)).toBe(0)
    expect(legStep(timeline, all, 0, 1)).toBe(syn.first)
    expect(legStep(timeline, all, timeline.stops.length - 1, 1)).toBeNull()
    expect(nearestShown([0, 4, 9], 7)).toBe(4)
  })
  it('does not travel when motion is reduced, and waits long enough to read', () => {
    expect(paceOf(timeline.stops[5] as Stop, 1, true)).toEqual({ travelMs: 0, dwellMs: 1600 })
    expect(paceOf(timeline.stops[5] as Stop, 2, false).travelMs).toBe(210)
  })
  it('reaches the interesting stop within five seconds at the first play', () => {
    const long: Timeline = { ...timeline, stops: [...timeline.stops, ...timeline.stops, ...timeline.stops] }
    const shown = long.stops.map((_, i) => i)
    const hurry = hurryTo(long, shown, shown.length - 1)
    const ms = long.stops.reduce((sum, stop) => sum + paceOf(stop, 1, false, hurry).travelMs + paceOf(stop, 1, false, hurry).dwellMs, 0)
    expect(ms).toBeLessThanOrEqual(5001)
    expect(hurryTo(timeline, all, 1)).toBe(1)
  })
  it('finds the same stop after an edit, and the nearest where it is gone', () => {
    const after = send(900)
    expect(sameStop(timeline, 11, after)).toBe(11)
    const second = timeline.stops.findIndex((stop) => stop.name === 'route')
    expect(sameStop(timeline, second, after)).toBe(second)
    const without: Timeline = { ...after, stops: after.stops.map((stop) => (stop.name === 'route' ? { ...stop, name: 'other' } : stop)) }
    expect(sameStop(timeline, second, without)).toBe(second)
    expect(sameStop(timeline, 3, { legs: [], stops: [], interesting: 0 })).toBeNull()
  })
  it('writes time in the unit that is read', () => {
    expect([0, 412, 4118, 1_024_000].map(timeText)).toEqual(['0 µs', '412 µs', '4.118 ms', '1.024 s'])
  })
})

/** Frames 16 ms apart, run as fast as they come. */
function frames() {
  const waiting = new Map<number, (now: number) => void>()
  let [id, now] = [0, 0]
  return {
    request: (step: (now: number) => void) => (waiting.set(++id, step), id),
    cancel: (which: number) => void waiting.delete(which),
    async run(ms: number) {
      for (const end = now + ms; now < end; now += 16) {
        const steps = [...waiting.values()]
        waiting.clear()
        steps.forEach((step) => step(now))
        await vi.advanceTimersByTimeAsync(16)
      }
    },
  }
}

describe('Player', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  it('plays to the stop that it was asked to and waits there', async () => {
    const clock = frames()
    const player = new Player(clock)
    const seen: number[] = []
    player.listeners.add((frame) => seen.push(frame.travel))
    player.open(timeline)
    player.play(timeline.interesting)
    expect(player.playing).toBe(true)
    await clock.run(5600)
    expect(player.playing).toBe(false)
    expect(player.index).toBe(timeline.interesting)
    expect(seen.some((travel) => travel > 0.2 && travel < 0.8)).toBe(true)
  })
  it('pauses where it is, and stepping on while it moves arrives at once', async () => {
    const clock = frames()
    const player = new Player(clock)
    player.open(timeline)
    player.forward()
    await clock.run(100)
    expect(player.moving).toBe(true)
    player.forward()
    expect(player.index).toBe(1)
    await clock.run(100)
    player.pause()
    expect(player.moving).toBe(false)
    expect(player.index).toBe(1)
  })
  it('shows each stop at once when motion is reduced, and goes on after a while', async () => {
    const clock = frames()
    const player = new Player(clock)
    player.reduced = true
    player.open(timeline)
    player.play()
    await clock.run(100)
    expect(player.index).toBe(1)
    expect(player.moving).toBe(false)
    await clock.run(1700)
    expect(player.index).toBe(2)
    player.pause()
  })
  it('follows an edit at the same hop, and starts again with a new request', () => {
    const player = new Player(frames())
    player.open(timeline)
    expect(player.index).toBe(0)
    player.seek(11)
    player.follow(send(900))
    expect(player.index).toBe(11)
    player.open(timeline)
    expect(player.index).toBe(0)
  })
  it('steps over what the lens folds', () => {
    const player = new Player(frames())
    player.open(timeline)
    player.look('services')
    player.reduced = true
    player.forward()
    player.forward()
    expect(player.shown).toContain(player.index)
    expect(player.shown.length).toBeLessThan(timeline.stops.length)
    player.back()
    expect(player.index).toBe(player.shown[1])
    player.last()
    expect(player.atEnd).toBe(true)
  })
  it('does nothing without a path', () => {
    const player = new Player(frames())
    player.play()
    player.forward()
    player.leap(1)
    expect(player.index).toBe(0)
    expect(player.playing).toBe(false)
  })
})
