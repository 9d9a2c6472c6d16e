// The packet's headers as tables: one group for each tunnel, the innermost packet last; what changed is marked.
import type { Layer, LayerField, Stop } from '../engine/client'

export type Compare = 'sent' | 'before'

export interface HeaderRow {
  key: string
  label: string
  old: string
  now: string
  changed: boolean
  /** Addresses and ports that were rewritten, not merely counted down. */
  rewritten: 'DNAT' | 'SNAT' | null
}

export interface HeaderGroup {
  depth: number
  title: string
  bytes: number
  rows: HeaderRow[]
  /** Fields left out because they say nothing about the path. */
  hidden: number
}

/** Fields that a path is read by; the others show on demand, or when they change. */
const TOLD = /^(src|dst|source|destination|sport|dport|src port|dst port|ttl|hop limit|flags|vni|type|code|name|qname|rcode|answer|answers|question|method|path|host|status|url|mtu|sender|target|operation|op|op|sender_ip|target_ip|chunk)$/i
const SHORT: Record<string, string> = { Ethernet: 'Eth', IPv4: 'IP', IPv6: 'IP' }

const oldOf = (field: LayerField, compare: Compare) => (compare === 'sent' ? (field.sent ?? field.now) : (field.before ?? field.now))

export function headerGroups(stop: Stop, compare: Compare, all: boolean): HeaderGroup[] {
  const depths = [...new Set(stop.packet.map((layer) => layer.depth))].sort((a, b) => a - b)
  return depths.map((depth) => group(stop.packet.filter((layer) => layer.depth === depth), depth, compare, all))
}

function group(layers: readonly Layer[], depth: number, compare: Compare, all: boolean): HeaderGroup {
  const rows: HeaderRow[] = []
  let hidden = 0
  layers.forEach((layer, l) => {
    const short = SHORT[layer.name] ?? layer.name
    layer.fields.forEach((field, f) => {
      const old = oldOf(field, compare)
      const changed = old !== field.now
      const told = TOLD.test(field.name) && layer.name !== 'Ethernet'
      if (!all && !changed && !told) {
        hidden++
        return
      }
      rows.push({ key: `${l}.${f}`, label: `${short} ${field.name.replaceAll('_', ' ')}`, old, now: field.now, changed, rewritten: changed ? rewriteOf(layer, field) : null })
    })
  })
  const names = layers.map((layer) => layer.name).filter((name) => name !== 'Ethernet')
  return { depth, title: names.join(', ') || 'Ethernet', bytes: layers.reduce((sum, layer) => sum + layer.bytes, 0), rows, hidden }
}

function rewriteOf(layer: Layer, field: LayerField): HeaderRow['rewritten'] {
  if (!/^(ip|tcp|udp|sctp)/i.test(layer.name)) return null
  if (/^(dst|destination|dport|dst port)$/i.test(field.name)) return 'DNAT'
  if (/^(src|source|sport|src port)$/i.test(field.name)) return 'SNAT'
  return null
}

/** A file and line to jump to, as written everywhere: `shop.yaml:25`. */
export const placeText = (place: { file?: string | undefined; line?: number | undefined }) =>
  place.file === undefined ? null : place.line === undefined ? place.file : `${place.file}:${place.line}`
