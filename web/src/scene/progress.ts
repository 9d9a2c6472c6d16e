// What a stop of a timeline lights on the drawing: the way so far, the boxes passed with their numbers, the rewritten address.
import type { LayerField, LegKind, Point, Stop, Timeline, TimelineLeg } from '../engine/client'
import { beside, joined } from './geometry'

/** How far the reply's line stands beside the request's, so that another way back shows. */
export const REPLY_ASIDE = 6

export interface Footprint {
  hue: LegKind
  /** Numbers of the stops of the current leg at this shape, in order. */
  numbers: number[]
  /** The current stop is here. */
  here: boolean
}

export interface LitLine {
  hue: LegKind
  points: Point[]
}

export interface Progress {
  /** Lines to light, the current leg's last. */
  lines: LitLine[]
  footprints: Map<string, Footprint>
  /** Rows of shapes (endpoints, Services) that the current leg has lit so far. */
  lit: Set<string>
  /** Rewritten addresses by shape. */
  flips: Map<string, Flip>
}

export interface Flip {
  before: string
  after: string
  tag: string
}

export const NOTHING: Progress = { lines: [], footprints: new Map(), lit: new Set(), flips: new Map() }

export const legOf = (timeline: Timeline, index: number): TimelineLeg | undefined => {
  const stop = timeline.stops[index]
  return stop && timeline.legs[stop.leg]
}

/** A stop that is not drawn at this size has no place of its own. */
const placeOf = (stop: Stop): Point[] => (stop.shape === undefined && stop.path.length === 0 ? [] : [stop.at])
const wayInto = (stop: Stop): Point[] => (stop.path.length > 0 ? stop.path : placeOf(stop))

/** The way of a leg from its start to the stop `last`, both included. */
export function wayTo(timeline: Timeline, leg: TimelineLeg, last: number): Point[] {
  const points: Point[][] = []
  for (let i = leg.first; i <= Math.min(last, leg.end - 1); i++) {
    const stop = timeline.stops[i]
    if (!stop) continue
    // A leg starts where its first stop is: the way there belongs to the leg before.
    points.push(i === leg.first ? placeOf(stop) : wayInto(stop))
  }
  return joined(...points)
}

/** The way from one stop to a later one of the same leg; from another leg it starts where it stands. */
export function wayBetween(timeline: Timeline, from: number, to: number): Point[] {
  const [a, b] = [timeline.stops[from], timeline.stops[to]]
  if (!b) return []
  if (!a || a.leg !== b.leg || from >= to) return [b.at]
  const points: Point[][] = [placeOf(a)]
  for (let i = from + 1; i <= to; i++) {
    const stop = timeline.stops[i]
    if (stop) points.push(wayInto(stop))
  }
  return joined(...points)
}

export const aside = (hue: LegKind, points: readonly Point[]) => (hue === 'reply' ? beside(points, REPLY_ASIDE) : [...points])

/** The request leg that a reply answers: the nearest one before it. */
function asked(timeline: Timeline, leg: number): TimelineLeg | undefined {
  for (let i = leg - 1; i >= 0; i--) {
    const before = timeline.legs[i]
    if (before?.kind === 'request') return before
    if (before?.kind === 'reply') return undefined
  }
  return undefined
}

/** The way of the current leg so far is added by the player, which knows how far it has moved. */
export function progressAt(timeline: Timeline, index: number, visible: (stop: number) => boolean = () => true): Progress {
  const current = timeline.stops[index]
  const leg = legOf(timeline, index)
  if (!current || !leg) return NOTHING
  const lines: LitLine[] = []
  const before = leg.kind === 'reply' ? asked(timeline, current.leg) : undefined
  if (before) lines.push({ hue: 'request', points: wayTo(timeline, before, before.end - 1) })
  lines.push({ hue: leg.kind, points: aside(leg.kind, wayTo(timeline, leg, index)) })

  const footprints = new Map<string, Footprint>()
  const lit = new Set<string>()
  const flips = new Map<string, Flip>()
  for (let i = leg.first; i <= index; i++) {
    const stop = timeline.stops[i]
    if (!stop) continue
    for (const reference of stop.lit) lit.add(reference)
    if (stop.shape === undefined) continue
    const flip = flipOf(stop)
    if (flip) flips.set(stop.shape, flip)
    if (!visible(i)) continue
    const print = footprints.get(stop.shape) ?? { hue: leg.kind, numbers: [], here: false }
    print.numbers.push(stop.number)
    print.here = i === index
    footprints.set(stop.shape, print)
  }
  return { lines, footprints, lit, flips }
}

/** What stands in the disc: `4`, `4, 6`, `4 to 9`. */
export const discText = (numbers: readonly number[]) =>
  numbers.length <= 2 ? numbers.join(', ') : `${numbers[0]} to ${numbers.at(-1)}`

const ADDRESS = /^(src|dst|source|destination|ip src|ip dst)$/i
const PORT = /port|^sport$|^dport$/i

/** The address that a stop rewrote, if it did: the old one with its port, and the new one. */
export function flipOf(stop: Stop): Flip | null {
  const tag = stop.tags.find((candidate) => candidate.kind === 'nat')
  if (!tag) return null
  const innermost = Math.max(0, ...stop.packet.map((layer) => layer.depth))
  const fields = stop.packet.filter((layer) => layer.depth === innermost && /^(ip|tcp|udp|sctp)/i.test(layer.name))
  const network = fields.find((layer) => /^ip/i.test(layer.name))?.fields ?? []
  const transport = fields.find((layer) => !/^ip/i.test(layer.name))?.fields ?? []
  const address = network.find((field) => ADDRESS.test(field.name) && field.before !== undefined)
  const towards = (field: LayerField) => /^(d|to)/i.test(field.name)
  if (!address) {
    const port = transport.find((field) => PORT.test(field.name) && field.before !== undefined)
    return port ? { before: `port ${port.before}`, after: `port ${port.now}`, tag: tag.text } : null
  }
  const port = transport.find((field) => PORT.test(field.name) && towards(field) === towards(address)) ?? transport.find((field) => ADDRESS.test(field.name) && towards(field) === towards(address))
  const whole = (ip: string, number: string | undefined) => (number === undefined ? ip : ip.includes(':') ? `[${ip}]:${number}` : `${ip}:${number}`)
  return { before: whole(address.before ?? '', port && (port.before ?? port.now)), after: whole(address.now, port?.now), tag: tag.text }
}
