// The lens: which layer is looked at. Stops that are not of the layer are folded into the wire, decided from the
// packet at each stop (did this layer's headers change here?), never from names.
import type { Layer, ShapeKind, Stop, Timeline } from '../engine/client'

export type Lens = 'http' | 'services' | 'ip' | 'kernel'

export const LENSES: readonly { id: Lens; label: string; title: string }[] = [
  { id: 'http', label: 'HTTP', title: 'Messages between programs' },
  { id: 'services', label: 'Services', title: 'Names, Services and the endpoints chosen' },
  { id: 'ip', label: 'IP', title: 'Machines, routes, tunnels and rewritten addresses' },
  { id: 'kernel', label: 'Kernel', title: 'Every interface, hook and rule' },
]

const isIp = (layer: Layer) => /^ipv?[46]?$/i.test(layer.name)
const isMessage = (layer: Layer) => /^(http|dns|grpc|tls|icmp)/i.test(layer.name)
const tunnels = (stop: Stop | undefined) => Math.max(0, ...(stop?.packet ?? []).map((layer) => layer.depth))

/** Indices of the stops that a lens shows. Ends of a leg, and the stop where it was decided, always stay. */
export function shownStops(timeline: Timeline, lens: Lens): number[] {
  const all = timeline.stops.map((_, i) => i)
  if (lens === 'kernel') return all
  const legs = timeline.legs.map((leg, i) => {
    const stops = timeline.stops.slice(leg.first, leg.end)
    return lens !== 'http' || leg.kind === 'side' || stops.some((stop) => stop.packet.some(isMessage)) || stopped(leg.endState) || i === timeline.legs.length - 1
  })
  return all.filter((i) => {
    const stop = timeline.stops[i] as Stop
    const leg = timeline.legs[stop.leg]
    if (!leg || !legs[stop.leg]) return false
    if (i === leg.first || i === leg.end - 1) return true
    if (stop.tags.some((tag) => tag.kind === 'deny' || tag.kind === 'warn' || tag.kind === 'unknown')) return true
    if (lens === 'http') return false
    if (stop.tags.some((tag) => tag.kind === 'nat')) return true
    if (lens === 'services') return false
    return tunnels(stop) !== tunnels(timeline.stops[i - 1]) || stop.packet.some((layer) => isIp(layer) && layer.fields.some((field) => field.before !== undefined))
  })
}

const stopped = (state: string) => state !== 'delivered' && state !== 'answered'

const HIDDEN: Record<Lens, ReadonlySet<ShapeKind>> = {
  kernel: new Set(),
  ip: new Set<ShapeKind>(['hook', 'proxyTable']),
  services: new Set<ShapeKind>(['interface', 'bridge', 'tunnel', 'hook']),
  http: new Set<ShapeKind>(['interface', 'bridge', 'tunnel', 'hook', 'proxyTable']),
}

/** Whether a lens draws a kind of shape; a shape where a shown stop is always stays. */
export const drawn = (lens: Lens, kind: ShapeKind) => !HIDDEN[lens].has(kind)
