// A packet in a few words, for the opened card: one line for each tunnel, one for what is inside.
import type { Layer, Stop } from '../engine/client'

export interface Wrapping {
  /** `VXLAN 1`, or the flag of the innermost packet. */
  name: string
  src: string
  dst: string
}

export interface PacketText {
  /** Outermost first. */
  tunnels: Wrapping[]
  inner: Wrapping
  /** `DNAT`, `SNAT`: rewritten since it was sent. */
  rewritten: string[]
}

const at = (layers: readonly Layer[], depth: number) => layers.filter((layer) => layer.depth === depth)
const field = (layer: Layer | undefined, pattern: RegExp) => layer?.fields.find((candidate) => pattern.test(candidate.name))
const network = (layers: readonly Layer[]) => layers.find((layer) => /^(ip|arp)/i.test(layer.name))
const transport = (layers: readonly Layer[]) => layers.find((layer) => /^(tcp|udp|sctp)/i.test(layer.name))

const SRC = /^(src|source|sender|sport|src port|source port|spa|sender_ip)$/i
const DST = /^(dst|destination|target|dport|dst port|destination port|tpa|target_ip)$/i

const withPort = (ip: string | undefined, port: string | undefined) =>
  ip === undefined ? '' : port === undefined ? ip : ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`

function ends(layers: readonly Layer[]) {
  const [n, t] = [network(layers), transport(layers)]
  return { src: field(n, SRC)?.now ?? '', dst: withPort(field(n, DST)?.now, field(t, DST)?.now) }
}

export function packetText(stop: Stop, flag: string): PacketText {
  const depth = Math.max(0, ...stop.packet.map((layer) => layer.depth))
  const tunnels: Wrapping[] = []
  for (let d = 0; d < depth; d++) {
    const layers = at(stop.packet, d)
    const tunnel = layers.find((layer) => /vxlan|geneve|ipip|wireguard|gre/i.test(layer.name))
    const vni = field(tunnel, /^(vni|key)$/i)?.now
    tunnels.push({ name: `${tunnel?.name ?? 'tunnel'}${vni === undefined ? '' : ` ${vni}`}`, ...ends(layers) })
  }
  const inner = at(stop.packet, depth)
  const changed = (pattern: RegExp) => [network(inner), transport(inner)].some((layer) => field(layer, pattern)?.sent !== undefined)
  const rewritten = [...(changed(DST) ? ['DNAT'] : []), ...(changed(SRC) ? ['SNAT'] : [])]
  return { tunnels, inner: { name: flag, ...ends(inner) }, rewritten }
}
