// Where a request goes, as the request bar shows it (a kind and an address) and as the engine takes it (one string).

export type Kind = 'http' | 'tcp' | 'udp' | 'icmp' | 'dns'

export const KINDS: readonly { id: Kind; label: string; placeholder: string }[] = [
  { id: 'http', label: 'HTTP', placeholder: 'http://cart.shop/' },
  { id: 'tcp', label: 'TCP', placeholder: 'cart.shop:80' },
  { id: 'udp', label: 'UDP', placeholder: 'kube-dns.kube-system:53' },
  { id: 'icmp', label: 'ICMP', placeholder: '10.244.1.3' },
  { id: 'dns', label: 'DNS', placeholder: 'cart.shop/A' },
]

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

export interface Target {
  kind: Kind
  /** What the address field shows. */
  address: string
}

export function parseTarget(to: string): Target {
  const text = to.trim()
  if (/^https?:\/\//i.test(text)) return { kind: 'http', address: text }
  const prefix = /^(tcp|udp|icmp|dns):(.*)$/i.exec(text)
  if (prefix) return { kind: (prefix[1] as string).toLowerCase() as Kind, address: (prefix[2] as string).replace(/^\/\//, '') }
  return { kind: 'tcp', address: text }
}

export function formatTarget({ kind, address }: Target): string {
  const text = address.trim()
  switch (kind) {
    case 'http':
      return /^https?:\/\//i.test(text) ? text : `http://${text}${text.includes('/') ? '' : '/'}`
    case 'tcp':
      return text
    case 'udp':
    case 'icmp':
      return `${kind}:${text}`
    case 'dns':
      return `dns:${text.includes('/') ? text : `${text}/A`}`
  }
}

/** What is typed may name its own kind: `http://…`, `udp:…`. */
export const namesKind = (text: string) => /^(https?:\/\/|(tcp|udp|icmp|dns):)/i.test(text.trim())

interface Parts {
  host: string
  port: string
  path: string
}

/** Hosts known only at run time: `pod:shop/web:8080`; their slash belongs to the name. */
const RUN_TIME = /^((?:pod|node|service|lb|gateway|ingress):.+?)(?::(\d+))?$/

function partsOf({ kind, address }: Target): Parts {
  const late = RUN_TIME.exec(address.trim())
  if (late) return { host: late[1] as string, port: late[2] ?? '', path: '/' }
  const text = address.trim().replace(/^(https?):\/\//i, '')
  const slash = text.indexOf('/')
  const authority = kind === 'dns' || slash >= 0 ? text.slice(0, slash < 0 ? undefined : slash) : text
  const path = kind === 'dns' || slash < 0 ? '/' : text.slice(slash)
  const port = /^(\[.*\]|[^:]*):(\d+)$/.exec(authority)
  const https = /^https:/i.test(address.trim())
  return { host: port ? (port[1] as string) : authority, port: port ? (port[2] as string) : kind === 'http' ? (https ? '443' : '80') : '', path }
}

/** The same destination as another kind of request: `http://cart.shop/` becomes `cart.shop:80`, `cart.shop`, `cart.shop/A`. */
export function withKind(target: Target, kind: Kind): Target {
  if (target.kind === kind || !target.address.trim()) return { kind, address: target.address }
  const { host, port, path } = partsOf(target)
  switch (kind) {
    case 'http':
      return { kind, address: `http://${host}${port && port !== '80' ? `:${port}` : ''}${path}` }
    case 'tcp':
      return { kind, address: `${host}:${port || '80'}` }
    case 'udp':
      return { kind, address: `${host}:${port || '53'}` }
    case 'icmp':
      return { kind, address: host }
    case 'dns':
      return { kind, address: `${host}/A` }
  }
}
