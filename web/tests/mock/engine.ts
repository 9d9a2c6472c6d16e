// A stand-in for the engine: one world, drawn as the design's mock-up draws it, whatever the files say. For work on the
// look (`npm run dev`) and for tests of the page; the product never holds it.
import type { CacheView, LookUpView, CheckReport, Density, DiagnosticView, Edge, ExecResult, Layer, LegKind, LoadResult, Place, Point, Scene, SceneOptions, SendRequest, Shape, ShapeKind, SourceFile, Tag, TimelineLeg, TreeItem, TypedLine } from '../../src/engine/generated/hoplab_bindings'
import type { SendResult, Stop, Timeline } from '../../src/engine/timeline'

export default function init(): Promise<unknown> {
  return Promise.resolve({})
}

const place = { object: 'Service shop/cart', field: 'spec.ports[0].targetPort', writer: 'kube-proxy', file: 'shop.yaml', line: 8, column: 17 }

class Canvas {
  shapes: Shape[] = []
  edges: Edge[] = []
  add(id: string, kind: ShapeKind, box: [number, number, number, number], label: string, lines: ([string, string] | [string, string, string | undefined, string])[] = [], more: Partial<Shape> = {}) {
    const [x, y, w, h] = box
    this.shapes.push({
      id, kind, x, y, w, h, parent: undefined, label, health: 'plain', spoken: `${kind} ${label}`, source: undefined, targets: [], origin: undefined,
      lines: lines.map(([text, lineKind, value, reference]) => ({ text, kind: lineKind, value, reference })), ...more,
    })
  }
  wire(id: string, from: string, to: string, points: [number, number][], kind: Edge['kind'], label?: string) {
    this.edges.push({ id, from, to, points: points.map(([x, y]) => ({ x, y })), kind, label })
  }
}

const HOSTILE = '<img src=x onerror=alert(1)>'

function wide(o: SceneOptions, passed: boolean): Canvas {
  const c = new Canvas()
  const W = Math.max(620, o.width)
  const H = Math.max(480, o.height)
  const middle = o.density === 'middle'
  const pad = 12, C = middle ? 96 : 140, gap = 12
  const NW = (W - 2 * pad - C - 2 * gap) / 2
  const x1 = pad, x2 = W - pad - NW, xc = x1 + NW + gap
  const busY = H - 62, NB = busY - 46, top = 14
  c.add('node:worker-1', 'node', [x1, top, NW, NB - top], 'worker-1', [['172.18.0.3', 'address']], { source: 'node:worker-1' })
  c.add('node:worker-2', 'node', [x2, top, NW, NB - top], 'worker-2', [['172.18.0.4', 'address']], { source: 'node:worker-2' })
  c.add('node:cp-1', 'node', [xc, NB - 104, C, 104], 'cp-1', [['172.18.0.2', 'address']], { source: 'node:cp-1' })
  c.add('network:nodes', 'network', [pad, busY - 6, W - 2 * pad, 12], '', [])
  c.add('caption:net', 'caption', [W - pad - 190, busY + 9, 180, 16], 'node network', [[' 172.18.0.0/16', 'address']])
  c.add('caption:svc', 'caption', [xc, top + 2, C, 16], 'Services', middle ? [] : [[' are rules only', 'note']])
  const big = middle ? NW * 0.5 : 122, small = (NW - 16 - big - 12) / 2, py = top + 34, ph = 64
  const pods: [string, string, string, number, number][] = middle
    ? [['shop/client', 'client', '10.244.1.2', x1 + 8, big], ['shop/cart-x9k2p', 'cart-x9k2p', '10.244.2.4', x2 + NW - 8 - big, big]]
    : [['shop/client', 'client', '10.244.1.2', x1 + 8, big], ['shop/web-q4m7s', 'web-q4m7s', '10.244.1.3', x1 + 14 + big, small], ['shop/cart-t4w6j', 'cart-t4w6j', '10.244.1.4', x1 + 20 + big + small, small],
       ['shop/web-d8n2v', 'web-d8n2v', '10.244.2.2', x2 + 8, small], ['shop/hostile', HOSTILE, '10.244.2.3', x2 + 14 + small, small], ['shop/cart-x9k2p', 'cart-x9k2p', '10.244.2.4', x2 + 20 + 2 * small, big]]
  for (const [id, label, ip, x, w] of pods) {
    c.add(`pod:${id}`, 'pod', [x, py, w, ph], label, [[ip, 'address'], ['8080', 'listen']], { source: id, targets: [`${ip}:8080`], spoken: `Pod ${label}, ${ip}, ready`, origin: { ...place, object: `Pod ${id}`, line: 3 } })
  }
  if (middle) {
    c.add('stack:w1', 'podStack', [x1 + 14 + big, py, NW - 28 - big, ph], '2 pods', [['web-q4m7s', 'note'], ['cart-t4w6j', 'note']])
    c.add('stack:w2', 'podStack', [x2 + 8, py, NW - 28 - big, ph], '2 pods', [['web-d8n2v', 'note']])
  }
  const ax = x1 + 8 + Math.min(big, 132) / 2, bx = x2 + NW - 8 - Math.min(big, 132) / 2
  for (const [id, , , x, w] of pods) {
    const cx = id === 'shop/client' ? ax : id === 'shop/cart-x9k2p' ? bx : x + w / 2
    c.add(`if:pod:${id}/eth0`, 'interface', [cx - 20, py + ph - 8, 40, 17], 'eth0')
  }
  const preY = py + ph + 26
  c.add('hook:node:worker-1/PREROUTING', 'hook', [x1 + 8, preY, Math.min(big, 132), passed ? 54 : 22], 'PREROUTING')
  const cniY = preY + 70
  c.add('if:node:worker-1/cni0', 'bridge', [x1 + 8, cniY, NW - 16, 26], 'cni0', [['10.244.1.1/24', 'address']])
  c.add('if:node:worker-2/cni0', 'bridge', [x2 + 8, cniY, NW - 16, 26], 'cni0', [['10.244.2.1/24', 'address']])
  const low = NB - 13 - cniY - 26
  const fwdY = cniY + 26 + (low - 54) / 3, flY = fwdY + 22 + (low - 54) / 3
  for (const [node, cx] of [['worker-1', ax], ['worker-2', bx]] as const) {
    c.add(`hook:node:${node}/FORWARD`, 'hook', [cx - 60, fwdY, 120, 22], 'FORWARD')
    c.add(`if:node:${node}/flannel.1`, 'tunnel', [cx - 62, flY, 124, 32], 'flannel.1', [['VNI 1', 'address']])
    c.add(`if:node:${node}/eth0`, 'interface', [cx - 62, NB - 13, 124, 26], 'eth0', [[node === 'worker-1' ? '172.18.0.3' : '172.18.0.4', 'address']])
  }
  c.add('if:node:cp-1/eth0', 'interface', [xc + C / 2 - 22, NB - 13, 44, 26], 'eth0')
  const kx = ax + 76
  c.add('proxy:worker-1', 'proxyTable', [kx, cniY + 44, Math.min(150, x1 + NW - 8 - kx), 72], 'kube-proxy', [['web', 'row', '3', 'service:shop/web'], ['cart', 'row', '2', 'service:shop/cart'], ['kube-dns', 'row', '2', 'service:kube-system/kube-dns']])
  c.add('service:shop/cart', 'service', [xc, top + 22, C, 88], 'cart', [['10.96.118.52:80', 'address'], ['10.244.1.4', 'endpointReady', '1 in 2', 'pod:shop/cart-t4w6j'], ['10.244.2.4', 'endpointReady', '1 in 2', 'pod:shop/cart-x9k2p']], { targets: ['http://cart.shop/', 'cart.shop:80'], spoken: 'Service cart in shop, 10.96.118.52 port 80, 2 endpoints', origin: place })
  c.add('service:shop/web', 'service', [xc, top + 118, C, 60], 'web', [['10.96.41.7:80', 'address'], ['3 ready', 'note']], { targets: ['http://web.shop/'] })
  c.add('external:203.0.113.7', 'outside', [pad, busY + 18, 132, 38], 'outside', [['203.0.113.7', 'address']], { source: 'external:203.0.113.7', targets: ['http://203.0.113.7/'] })
  const b1: [number, number] = [ax, py + ph], e1: [number, number] = [ax, busY], b2: [number, number] = [bx, py + ph], e2: [number, number] = [bx, busY]
  c.wire('w1', 'pod:shop/client', 'network:nodes', [b1, e1], 'inside', 'vethd3a1f0c2')
  c.wire('w2', 'pod:shop/cart-x9k2p', 'network:nodes', [b2, e2], 'inside')
  for (const [id, , , x, w] of pods) if (id !== 'shop/client' && id !== 'shop/cart-x9k2p') c.wire(`v:${id}`, `pod:${id}`, 'cni', [[x + w / 2, py + ph], [x + w / 2, cniY]], 'veth')
  c.wire('cp', 'node:cp-1', 'network:nodes', [[xc + C / 2, NB], [xc + C / 2, busY]], 'cable')
  c.wire('out', 'external:203.0.113.7', 'network:nodes', [[pad + 24, busY + 18], [pad + 24, busY]], 'cable')
  c.wire('kp', 'proxy:worker-1', 'hook:node:worker-1/PREROUTING', [[x1 + 8 + Math.min(big, 132), preY + 11], [kx + 14, preY + 11], [kx + 14, cniY + 44]], 'writes')
  return c
}

function phone(o: SceneOptions): Canvas {
  const c = new Canvas()
  const W = o.width, H = o.height, pad = 8, NW = W - 2 * pad, h = (H - 104) / 2 - pad
  const rows: [string, number, string][] = [['worker-1', pad, '172.18.0.3'], ['worker-2', H - pad - h, '172.18.0.4']]
  for (const [node, y, ip] of rows) {
    c.add(`node:${node}`, 'node', [pad, y, NW, h], node, [[ip, 'address']], { source: `node:${node}` })
    const mid = y + 32 + (h - 42) / 2
    c.add(node === 'worker-1' ? 'pod:shop/client' : 'pod:shop/cart-x9k2p', 'pod', [pad + 8, mid - 23, 92, 46], node === 'worker-1' ? 'client' : 'cart-x9k2p', [[node === 'worker-1' ? '10.244.1.2' : '10.244.2.4', 'address']], { source: node === 'worker-1' ? 'shop/client' : 'shop/cart-x9k2p', targets: ['10.244.2.4:8080'] })
    c.add(`if:node:${node}/cni0`, 'bridge', [pad + 200, mid - 14, 50, 28], 'cni0')
    if (node === 'worker-1') c.add('hook:node:worker-1/PREROUTING', 'hook', [pad + 110, mid - 12, 84, 24], 'PREROUTING')
    c.add(`if:node:${node}/flannel.1`, 'tunnel', [W - pad - 8 - 84, mid - 16, 84, 32], 'flannel.1')
    c.add(`if:node:${node}/eth0`, 'interface', [W - pad - 8 - 67, node === 'worker-1' ? y + h - 11 : y - 11, 50, 22], 'eth0')
  }
  c.add('network:nodes', 'network', [8, H / 2 - 6, W - 16, 12], '')
  return c
}

const L = (depth: number, name: string, bytes: number, fields: [string, string, string?, string?][]): Layer => ({ name, depth, bytes, fields: fields.map(([n, now, before, sent]) => ({ name: n, now, before, sent })) })

function timelineOn(scene: Scene): Timeline {
  const box = (id: string) => scene.shapes.find((shape) => shape.id === id)
  const legs: TimelineLeg[] = []
  const stops: Stop[] = []
  type Row = [shape: string, name: string, short: string, title: string, tag?: Tag, extra?: Partial<Stop>]
  const leg = (label: string, kind: LegKind, flag: string, protocol: string, rows: Row[], packetAt: (i: number) => Layer[]) => {
    const first = stops.length
    let last: Point | null = null
    rows.forEach(([shape, name, short, title, tag, extra], i) => {
      const b = box(shape)
      const at = b ? (b.kind === 'network' ? { x: scene.width / 2, y: b.y + b.h / 2 } : { x: b.kind === 'bridge' && last ? last.x : b.x + b.w / 2, y: b.y + b.h + (i === 0 || b.kind === 'pod' ? 6 : 9) }) : last
      const path: Point[] = []
      if (last && at) path.push(last, ...(Math.abs(last.x - at.x) > 2 && Math.abs(last.y - at.y) > 2 ? [b?.kind === 'network' ? { x: last.x, y: at.y } : { x: at.x, y: last.y }] : []), at)
      stops.push({ leg: legs.length, number: i + 1, shape: b ? shape : undefined, path, at: at ?? { x: 0, y: 0 }, name, place: 'worker-1', short, title, sentence: `${name}: ${short}.`, tags: tag ? [tag] : [], micros: 3800 + stops.length * 31, packet: packetAt(i), rules: [], origin: undefined, edges: [], lit: [], ...extra })
      last = at
    })
    legs.push({ label, kind, flag, protocol, first, end: stops.length, micros: 0, endState: 'delivered' })
  }
  leg('DNS cart.shop A', 'side', 'A', 'udp', [['pod:shop/client', 'client', 'asks for cart.shop', 'Asks for the name'], ['if:node:worker-1/cni0', 'cni0', 'to 10.96.0.10:53', 'To CoreDNS'], ['node:cp-1', 'coredns', 'A 10.96.118.52', 'Answered']], () => [L(0, 'IPv4', 20, [['src', '10.244.1.2'], ['dst', '10.96.0.10'], ['TTL', '64']]), L(0, 'UDP', 8, [['src port', '40000'], ['dst port', '53']]), L(0, 'DNS', 40, [['name', 'cart.shop'], ['type', 'A']])])
  const packet = (i: number): Layer[] => {
    const inner = L(i >= 6 && i <= 9 ? 1 : 0, 'IPv4', 20, [['src', '10.244.1.2'], ['dst', i >= 2 ? '10.244.2.4' : '10.96.118.52', i === 2 ? '10.96.118.52' : undefined, i >= 2 ? '10.96.118.52' : undefined], ['TTL', i >= 11 ? '62' : i >= 4 ? '63' : '64', i === 4 ? '64' : i === 11 ? '63' : undefined, i >= 4 ? '64' : undefined], ['id', '4711']])
    const tcp = L(inner.depth, 'TCP', 20, [['src port', '40312'], ['dst port', i >= 2 ? '8080' : '80', i === 2 ? '80' : undefined, i >= 2 ? '80' : undefined], ['flags', 'SYN'], ['window', '64240']])
    return i >= 6 && i <= 9 ? [L(0, 'Ethernet', 14, [['src', '02:42:ac:12:00:03'], ['dst', '02:42:ac:12:00:04']]), L(0, 'IPv4', 20, [['src', '172.18.0.3'], ['dst', '172.18.0.4'], ['TTL', '64']]), L(0, 'UDP', 8, [['src port', '39217'], ['dst port', '8472']]), L(0, 'VXLAN', 8, [['VNI', '1']]), inner, tcp] : [inner, tcp]
  }
  const rules = [
    { table: 'nat', chain: 'PREROUTING', depth: 0, text: '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES', number: 1, of: 1, matched: true, origin: undefined },
    { table: 'nat', chain: 'KUBE-SERVICES', depth: 1, text: '-A KUBE-SERVICES -d 10.96.41.7/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-67NZLRHBNDSAWJRO', number: 4, of: 9, matched: false, origin: undefined },
    { table: 'nat', chain: 'KUBE-SEP-KPWF4XQU3K23SIOB', depth: 3, text: '-A KUBE-SEP-KPWF4XQU3K23SIOB -p tcp -m comment --comment "shop/cart:http" -m tcp -j DNAT --to-destination 10.244.2.4:8080', number: 2, of: 2, matched: true, origin: place },
  ]
  leg('SYN', 'request', 'SYN', 'tcp', [
    ['if:pod:shop/client/eth0', 'client eth0', 'SYN to 10.96.118.52:80', 'Leaves the pod'],
    ['pod:shop/client', 'vethd3a1f0c2', 'enters worker-1', 'Enters the node'],
    ['hook:node:worker-1/PREROUTING', 'PREROUTING', 'to 10.244.2.4:8080', 'Destination rewritten', { text: 'DNAT', kind: 'nat' }, { rules, origin: place, lit: ['service:shop/cart', 'pod:shop/cart-x9k2p'], sentence: 'No machine owns 10.96.118.52. A rule that kube-proxy wrote replaces it by one endpoint of Service cart, before any route is looked up.' }],
    ['if:node:worker-1/cni0', 'cni0', 'up the bridge to IP', 'Through the bridge'],
    ['if:node:worker-1/cni0', 'route', 'next hop on flannel.1', 'Routed to flannel.1', { text: 'TTL 63', kind: 'plain' }],
    ['hook:node:worker-1/FORWARD', 'FORWARD', 'accepted, FLANNEL-FWD', 'Allowed through'],
    ['if:node:worker-1/flannel.1', 'flannel.1', 'boxed, VNI 1', 'Boxed inside VXLAN', { text: '+50 B', kind: 'encap' }],
    ['if:node:worker-1/eth0', 'worker-1 eth0', 'outer packet leaves', 'Leaves the node'],
    ['network:nodes', 'node network', '172.18.0.3 to 172.18.0.4', 'On the wire between nodes', undefined, { sentence: 'Switches see only the outer header. The pods’ addresses and the Service’s are hidden or gone.' }],
    ['if:node:worker-2/eth0', 'worker-2 eth0', 'outer packet for me', 'Arrives at worker-2'],
    ['if:node:worker-2/flannel.1', 'flannel.1', 'unboxed', 'Unboxed', { text: '−50 B', kind: 'encap' }],
    ['hook:node:worker-2/FORWARD', 'FORWARD', 'accepted', 'Allowed through'],
    ['if:node:worker-2/cni0', 'cni0', 'to the port of cart-x9k2p', 'Through the bridge'],
    ['pod:shop/cart-x9k2p', 'cart-x9k2p', 'listens on 8080', 'Arrives'],
  ], packet)
  const back: Row[] = [['pod:shop/cart-x9k2p', 'cart-x9k2p', 'SYN ACK to 10.244.1.2', 'Answers'], ['if:node:worker-2/cni0', 'cni0', 'up', 'Through the bridge'], ['if:node:worker-2/flannel.1', 'flannel.1', 'boxed', 'Boxed', { text: '+50 B', kind: 'encap' }], ['if:node:worker-2/eth0', 'worker-2 eth0', 'leaves', 'Leaves'], ['network:nodes', 'node network', '172.18.0.4 to 172.18.0.3', 'On the wire'], ['if:node:worker-1/eth0', 'worker-1 eth0', 'for me', 'Arrives'], ['if:node:worker-1/flannel.1', 'flannel.1', 'unboxed', 'Unboxed', { text: '−50 B', kind: 'encap' }], ['if:node:worker-1/cni0', 'cni0', 'to client', 'Through the bridge'], ['if:pod:shop/client/eth0', 'client eth0', 'SYN ACK from 10.96.118.52:80', 'Put back', { text: 'un-DNAT', kind: 'nat' }]]
  const reply = (i: number): Layer[] => [L(0, 'IPv4', 20, [['src', i >= 8 ? '10.96.118.52' : '10.244.2.4', i === 8 ? '10.244.2.4' : undefined, i >= 8 ? '10.244.2.4' : undefined], ['dst', '10.244.1.2'], ['TTL', '64']]), L(0, 'TCP', 20, [['src port', i >= 8 ? '80' : '8080', i === 8 ? '8080' : undefined], ['dst port', '40312'], ['flags', 'SYN ACK']])]
  leg('SYN ACK', 'reply', 'SYN ACK', 'tcp', back, reply)
  leg('200 OK', 'reply', '200', 'tcp', back, reply)
  return { legs, stops, interesting: legs[1] ? legs[1].first + 8 : 0 }
}

function tree(scene: Scene): TreeItem[] {
  const item = (id: string, kind: string, label: string, value: string, children: TreeItem[] = [], shape?: Shape): TreeItem => ({ id, kind, label, value, shape: shape?.id, source: shape?.source, targets: shape?.targets ?? [], written: shape?.origin !== undefined, children, same: false })
  const of = (shape: Shape) => item(`t:${shape.id}`, shape.kind, shape.label, shape.lines[0]?.text ?? '', [], shape)
  const pods = scene.shapes.filter((shape) => shape.kind === 'pod')
  const nodes = scene.shapes.filter((shape) => shape.kind === 'node')
  return [
    item('t:cluster', 'cluster', 'cluster k3', '', nodes.map((node) => ({ ...of(node), children: pods.filter((pod) => pod.x >= node.x && pod.x < node.x + node.w && pod.y > node.y && pod.y < node.y + node.h).map(of) }))),
    item('t:shop', 'namespace', 'namespace shop', '', scene.shapes.filter((shape) => shape.kind === 'service').map(of)),
    item('t:kube', 'namespace', 'kube-system', '', [item('t:dns', 'service', 'kube-dns', '10.96.0.10')]),
    ...scene.shapes.filter((shape) => shape.kind === 'outside').map(of),
  ]
}

/** The world that is drawn. */
export class MockWorld {
  #files: SourceFile[] = []
  #revision = 0
  load(files: SourceFile[], typed: TypedLine[]): LoadResult {
    const diagnostics: DiagnosticView[] = files.flatMap((file) => {
      const line = file.text.split('\n').findIndex((text) => /\[\s*$/.test(text))
      return line < 0 ? [] : [{ code: 'HOP0101', severity: 'error', message: 'the bracket that opens here is never closed', help: 'close it with "]"', field: 'spec', file: file.name, line: line + 1, column: 1, endLine: line + 1, endColumn: 200 }]
    })
    const fresh = diagnostics.length === 0
    if (files.some((file) => file.text.includes('TRAP'))) throw new WebAssembly.RuntimeError('unreachable')
    while (files.some((file) => file.text.includes('HANG')));
    if (fresh) {
      this.#files = files
      this.#revision++
    }
    return {
      fresh, revision: this.#revision, diagnostics, objects: 18, summary: 'Flannel VXLAN · iptables · v1.36',
      failed: typed.filter((line) => line.place === 'host:gone').map((line) => `${line.place} $ ${line.line}: no such host`),
      first: { from: 'shop/client', to: 'http://cart.shop/' },
    }
  }
  scene(options: SceneOptions): Scene {
    // A scene that was laid out elsewhere, to see how the page draws it.
    const given = (globalThis as { __scene?: Scene }).__scene
    return given ?? this.#draw(options, false)
  }
  #draw(options: SceneOptions, passed: boolean): Scene {
    const c = options.density === 'phone' ? phone(options) : wide(options, passed)
    const scene: Scene = { width: options.density === 'phone' ? options.width : Math.max(620, options.width), height: options.density === 'phone' ? options.height : Math.max(480, options.height), shapes: c.shapes, edges: c.edges, tree: [] }
    if (this.#files.length === 0) scene.shapes = scene.shapes.filter((shape) => shape.kind === 'node' || shape.kind === 'network' || (shape.kind === 'interface' && shape.id.startsWith('if:node')))
    scene.tree = tree(scene)
    return scene
  }
  place(id: string): Place | undefined {
    return this.#draw({ density: 'wide', width: 824, height: 528, keep: [] }, false).shapes.find((shape) => `t:${shape.id}` === id)?.origin
  }
  send(request: SendRequest): SendResult {
    const scene = this.#draw(request.scene, true)
    const empty = { error: undefined, outcome: 'delivered', verdict: 'allowed', reason: 'Delivered: cart-x9k2p on worker-2 answered 200 through Service shop/cart.', status: 200, backend: 'shop/cart-x9k2p', micros: 4118, unknowns: [], choices: [], lookup, caches, scene, timeline: timelineOn(scene), text: '' }
    if (request.from === 'nowhere') return { ...empty, error: 'there is no pod nowhere', timeline: { legs: [], stops: [], interesting: 0 } }
    return empty
  }
  exec(at: string, line: string): ExecResult {
    if (line.startsWith('ip addr add')) return { output: '', status: 0, changed: true }
    return { output: `${line} on ${at}: the mock has no commands\n`, status: 127, changed: false }
  }
  check(): CheckReport {
    return { checks: [{ name: 'client-reaches-web', ok: false, message: 'refused' }, { name: 'still-iptables', ok: true, message: 'holds' }], passed: 1, failed: 1 }
  }
  svg(): string {
    return ''
  }
}

/** A name outside that the search list goes through first. */
const tried = ['api.example.com.shop.svc.cluster.local', 'api.example.com.svc.cluster.local', 'api.example.com.cluster.local', 'api.example.com']
const lookup: LookUpView = {
  asked: 'api.example.com',
  sentences: ['Looking up api.example.com took 8 queries for 4 names and 4.321 ms, 71 % of the whole.', '6 of them asked for names that the search list made, because api.example.com has 2 dots and ndots is 5: a final dot or a smaller ndots in dnsConfig saves them.', 'The C library is musl (of the image curlimages/curl).'],
  micros: 4321,
  questions: tried.flatMap((name, i) => ['A', 'AAAA'].map((record) => {
    const found = i === 3 && record === 'A'
    const answer = found ? '203.0.113.50' : i === 3 ? 'no records' : 'NXDOMAIN'
    return { name, record, server: '10.96.0.10', rcode: i === 3 ? 'NOERROR' : 'NXDOMAIN', answer, found, by: 'pod kube-system/coredns-7c65d6cfc9-abcde', place: 'pod:shop/client', cache: i === 0 ? 'hit' : 'miss', sent: i * 1000, micros: 640 + i * 55 }
  })),
}
const caches: CacheView[] = [{ place: 'pod:shop/client', program: 'coredns', entries: tried.map((name, i) => ({ name: `${name}.`, record: 'A', answer: i === 3 ? '203.0.113.50' : 'NXDOMAIN', leftSeconds: 3 + i * 9 })) }]

/** The world as the module gives it: as text. */
export class Engine {
  #world = new MockWorld()
  load(names: string[], texts: string[], places: string[], lines: string[]): string {
    const files = names.map((name, i) => ({ name, text: texts[i] ?? '' }))
    return JSON.stringify(this.#world.load(files, places.map((place, i) => ({ place, line: lines[i] ?? '' }))))
  }
  scene(density: string, width: number, height: number, keep: string[]): string {
    return JSON.stringify(this.#world.scene({ density: density as Density, width, height, keep }))
  }
  place(id: string): string {
    return JSON.stringify(this.#world.place(id) ?? null)
  }
  send(from: string, to: string, method: string, headers: string[], seed: number, afterMs: number, density: string, width: number, height: number, keep: string[]): string {
    const scene = { density: density as Density, width, height, keep }
    const sent = this.#world.send({ from, to, method, headers, seed, afterMs, scene })
    const layers: Layer[] = []
    const stops = sent.timeline.stops.map((stop) => ({ ...stop, packet: stop.packet.map((layer) => layers.push(layer) - 1) }))
    return JSON.stringify({ ...sent, timeline: { ...sent.timeline, layers, stops } })
  }
  exec(place: string, line: string): string {
    return JSON.stringify(this.#world.exec(place, line))
  }
  check(): string {
    return JSON.stringify(this.#world.check())
  }
  svg(): string {
    return JSON.stringify(this.#world.svg())
  }
}
