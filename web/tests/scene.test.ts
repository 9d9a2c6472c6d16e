import { describe, expect, it } from 'vitest'
import { beside, fit, inSight, joined, overlap, kept, lengthOf, pathOf, revealing, upTo, zoomAbout } from '../src/scene/geometry'
import { estimate, fitLabel, labelOf, shortened } from '../src/scene/label'
import { drawn, shownStops } from '../src/scene/lens'
import { nearest } from '../src/scene/nearest'
import { packetText } from '../src/scene/packet-text'
import { cornerFor, placeCard } from '../src/scene/place'
import { discText, flipOf, progressAt, wayBetween } from '../src/scene/progress'
import { MockWorld } from './mock/engine'
import type { Layer, Scene, Stop, Timeline } from '../src/engine/client'

const engine = new MockWorld()
engine.load([{ name: 'shop.yaml', text: '' }], [])
const sent = engine.send({ from: 'shop/client', to: 'http://cart.shop/', method: 'GET', headers: [], seed: 1, afterMs: 0, scene: { density: 'wide', width: 824, height: 508, keep: [] } })
const timeline: Timeline = sent.timeline
const scene: Scene = sent.scene
const leg = (label: string) => {
  const found = timeline.legs.find((candidate) => candidate.label === label)
  if (!found) throw new Error(`no leg ${label}`)
  return found
}
const stopNamed = (name: string, in_ = leg('SYN')) => timeline.stops.findIndex((stop, i) => i >= in_.first && i < in_.end && stop.name === name)

describe('geometry', () => {
  const line = [{ x: 0, y: 0 }, { x: 10, y: 0 }, { x: 10, y: 10 }]
  it('cuts a polyline at a part of its length', () => {
    expect(lengthOf(line)).toBe(20)
    expect(upTo(line, 0.75)).toEqual([{ x: 0, y: 0 }, { x: 10, y: 0 }, { x: 10, y: 5 }])
    expect(upTo(line, 2)).toEqual(line)
    expect(upTo([], 0.5)).toEqual([])
    expect(joined([{ x: 0, y: 0 }], [{ x: 0, y: 0 }, { x: 1, y: 0 }])).toHaveLength(2)
    expect(pathOf(line, 0.5)).toBe('M0 0L5 0L5 5')
  })
  it('moves a line aside without breaking its corner', () => {
    expect(beside(line, 6)).toEqual([{ x: 0, y: 6 }, { x: 4, y: 6 }, { x: 4, y: 10 }])
    expect(beside([{ x: 0, y: 0 }, { x: 10, y: 0 }, { x: 0, y: 0 }], 6).every((point) => Number.isFinite(point.x))).toBe(true)
  })
  it('fits a large scene and never enlarges a small one', () => {
    expect(fit({ w: 400, h: 200 }, { w: 800, h: 600 })).toEqual({ zoom: 1, x: 200, y: 200 })
    expect(fit({ w: 1600, h: 600 }, { w: 800, h: 600 }).zoom).toBe(0.5)
    expect(fit({ w: 0, h: 0 }, { w: 800, h: 600 }).zoom).toBe(1)
  })
  it('zooms about a point that stays, and keeps the scene in sight', () => {
    const camera = zoomAbout({ x: 10, y: 20, zoom: 1 }, 2, { x: 110, y: 120 })
    expect((110 - camera.x) / camera.zoom).toBe(100)
    expect(kept({ x: 9999, y: -9999, zoom: 1 }, { w: 100, h: 100 }, { w: 800, h: 600 })).toEqual({ zoom: 1, x: 752, y: -52 })
  })
  it('knows what is in sight, with a margin', () => {
    const sight = inSight({ x: -1000, y: 0, zoom: 0.5 }, { w: 800, h: 600 })
    for (const corner of [{ x: 2000, y: 0 }, { x: 3600, y: 1200 }]) expect(overlap(sight, { ...corner, w: 1, h: 1 })).toBeGreaterThan(0)
    expect(overlap(sight, { x: 0, y: 0, w: 100, h: 100 })).toBe(0)
  })
  it('moves no more than it must to reveal a box', () => {
    const camera = { x: 0, y: 0, zoom: 1 }
    expect(revealing(camera, { x: 10, y: 10, w: 10, h: 10 }, { w: 100, h: 100 })).toEqual(camera)
    expect(revealing(camera, { x: 150, y: 10, w: 10, h: 10 }, { w: 100, h: 100 }).x).toBe(-62)
  })
})

describe('arrow keys', () => {
  const boxes = [{ id: 'a', x: 0, y: 0, w: 10, h: 10 }, { id: 'b', x: 30, y: 2, w: 10, h: 10 }, { id: 'c', x: 0, y: 40, w: 10, h: 10 }]
  it('goes to the nearest box that way, and stays where there is none', () => {
    expect(nearest(boxes, 'a', 'right')?.id).toBe('b')
    expect(nearest(boxes, 'a', 'down')?.id).toBe('c')
    expect(nearest(boxes, 'a', 'up')).toBeNull()
    expect(nearest(boxes, 'gone', 'up')?.id).toBe('a')
  })
})

describe('progress', () => {
  it('numbers the boxes of the current leg up to the stop', () => {
    const at = stopNamed('route')
    const progress = progressAt(timeline, at)
    expect(progress.footprints.get('if:node:worker-1/cni0')).toEqual({ hue: 'request', numbers: [4, 5], here: true })
    expect(progress.footprints.has('hook:node:worker-1/FORWARD')).toBe(false)
    expect(progress.lit.has('pod:shop/cart-x9k2p')).toBe(true)
    expect(discText([1, 2, 3])).toBe('1 to 3')
  })
  it('shows the way out under the way back', () => {
    const reply = leg('SYN ACK')
    const progress = progressAt(timeline, reply.end - 1)
    expect(progress.lines.map((line) => line.hue)).toEqual(['request', 'reply'])
  })
  it('shows the old and the new address at the hook that rewrote it', () => {
    const progress = progressAt(timeline, stopNamed('cni0'))
    expect(progress.flips.get('hook:node:worker-1/PREROUTING')).toEqual({ before: '10.96.118.52:80', after: '10.244.2.4:8080', tag: 'DNAT' })
    expect(flipOf(timeline.stops[stopNamed('cni0')] as Stop)).toBeNull()
  })
  it('puts brackets around an IPv6 address with a port', () => {
    const layer = (name: string, fields: Layer['fields']): Layer => ({ name, depth: 0, bytes: 40, fields })
    const stop = { ...(timeline.stops[0] as Stop), tags: [{ text: 'DNAT', kind: 'nat' }], packet: [layer('IPv6', [{ name: 'dst', now: 'fd00::1', before: 'fd00::2', sent: undefined }]), layer('TCP', [{ name: 'dport', now: '8080', before: '80', sent: undefined }])] }
    expect(flipOf(stop)).toEqual({ before: '[fd00::2]:80', after: '[fd00::1]:8080', tag: 'DNAT' })
  })
  it('goes from stop to stop along the wires, and nowhere between legs', () => {
    const syn = leg('SYN')
    expect(wayBetween(timeline, syn.first, syn.first + 8).length).toBeGreaterThan(2)
    expect(wayBetween(timeline, 0, syn.first)).toEqual([timeline.stops[syn.first]?.at])
  })
})

describe('lens', () => {
  const names = (lens: Parameters<typeof shownStops>[1]) => shownStops(timeline, lens).filter((i) => timeline.stops[i]?.leg === 1).map((i) => timeline.stops[i]?.name)
  it('shows every stop at the kernel, and fewer with each layer above', () => {
    expect(names('kernel')).toHaveLength(14)
    expect(names('ip')).toEqual(['client eth0', 'PREROUTING', 'route', 'flannel.1', 'flannel.1', 'FORWARD', 'cart-x9k2p'])
    expect(names('services')).toEqual(['client eth0', 'PREROUTING', 'cart-x9k2p'])
    expect(names('http')).toEqual([])
  })
  it('keeps the stop where a packet was dropped in every layer', () => {
    const dropped: Timeline = { ...timeline, stops: timeline.stops.map((stop) => (stop.name === 'FORWARD' ? { ...stop, tags: [{ text: 'dropped', kind: 'deny' }] } : stop)), legs: timeline.legs.map((l) => ({ ...l, endState: 'dropped' })) }
    expect(shownStops(dropped, 'http').some((i) => dropped.stops[i]?.name === 'FORWARD')).toBe(true)
  })
  it('hides devices, never pods and Services', () => {
    expect(drawn('http', 'bridge')).toBe(false)
    expect(drawn('http', 'pod')).toBe(true)
    expect(drawn('http', 'service')).toBe(true)
    expect(drawn('kernel', 'hook')).toBe(true)
  })
})

describe('labels', () => {
  const pod = { kind: 'pod' as const, label: 'emailservice-6b7d8c9f4-x2k4j', lines: [{ text: '10.244.1.3', kind: 'address', value: undefined, reference: undefined }] }
  it('shortens a name in the middle, never an address', () => {
    const label = labelOf(pod, 100, 60, estimate)
    expect(label.name).toMatch(/^e.*….{2,5}$/)
    expect(estimate(label.name, 'name')).toBeLessThanOrEqual(84)
    expect(label.lines).toEqual([0])
    expect(labelOf(pod, 70, 60, estimate).lines).toEqual([])
    expect(shortened('abc', 5, estimate)).toBe('')
  })
  it('drops lines whole where there is no height, and everything where there is no room', () => {
    expect(fitLabel(pod, 200, 26, estimate).lines).toEqual([])
    expect(fitLabel(pod, 200, 12, estimate).name).toBe('')
  })
  it('keeps an endpoint and drops its share first', () => {
    const service = { kind: 'service' as const, label: 'cart', lines: [{ text: '10.244.1.4', kind: 'endpointReady', value: '1 in 2', reference: undefined }] }
    expect(fitLabel(service, 110, 60, estimate)).toEqual({ name: 'cart', lines: [0], bare: [0] })
  })
})

describe('packet in words', () => {
  it('nests the tunnel and says what was rewritten', () => {
    const stop = timeline.stops[stopNamed('node network')] as Stop
    expect(packetText(stop, 'SYN')).toEqual({
      tunnels: [{ name: 'VXLAN 1', src: '172.18.0.3', dst: '172.18.0.4:8472' }],
      inner: { name: 'SYN', src: '10.244.1.2', dst: '10.244.2.4:8080' }, rewritten: ['DNAT'],
    })
  })
})

describe('places', () => {
  const room = { x: 0, y: 0, w: 400, h: 400 }
  it('puts the card on the packet where nothing is covered, else beside it', () => {
    const card = { w: 100, h: 60 }
    expect(placeCard({ x: 200, y: 200 }, card, [], room)).toMatchObject({ x: 150, y: 170, covers: 0 })
    const placed = placeCard({ x: 200, y: 200 }, card, [{ x: 150, y: 160, w: 100, h: 50 }], room)
    expect(placed.covers).toBe(0)
    expect(placed.y).toBeGreaterThan(210)
    expect(placeCard({ x: 200, y: 200 }, card, [{ x: 0, y: 0, w: 400, h: 400 }], room).covers).toBeGreaterThan(0)
  })
  it('gives the zoom control the corner that is free', () => {
    const shape = { kind: 'outside', x: 250, y: 350, w: 100, h: 40 }
    expect(cornerFor({ w: 140, h: 30 }, [], { x: 0, y: 0, zoom: 1 }, room)).toMatchObject({ x: 252, y: 362 })
    expect(cornerFor({ w: 140, h: 30 }, [shape], { x: 0, y: 0, zoom: 1 }, room)).toMatchObject({ x: 8, y: 362 })
    const net = { kind: 'caption', x: 290, y: 350, w: 100, h: 40 }
    expect(cornerFor({ w: 140, h: 30 }, [net], { x: 0, y: 0, zoom: 1 }, room)).toMatchObject({ x: 130, y: 362 })
  })
  it('draws no two boxes of the design over each other, apart from what stands on an edge', () => {
    const boxes = scene.shapes.filter((shape) => !['node', 'network', 'caption', 'interface'].includes(shape.kind))
    for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1)) {
      const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
      expect(apart, `${a.id} and ${b.id}`).toBe(true)
    }
  })
})
