// Times of the engine as the browser runs it, beside their budgets: `cargo xtask bench`, which builds the engine first.
// Node.js runs the same module on the same V8. Nothing here fails for being slow: machines are noisy.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { deserialize, serialize } from 'node:v8'

const generated = process.argv[2] ?? new URL('../../web/src/engine/generated', import.meta.url).pathname
const { Engine, initSync } = await import(pathToFileURL(`${generated}/hoplab_bindings.js`))
initSync({ module: readFileSync(`${generated}/hoplab_bindings_bg.wasm`) })

/** As the playground asks for it: a desktop's panel, nothing opened by hand. */
const OPTIONS = ['wide', 824, 528, []]

/** A world of so many pods, ten to a Service, and nodes for a hundred pods each: that of the bench of `hoplab-engine`. */
function manifests(pods) {
  let text =
    'apiVersion: hoplab.dev/v1\nkind: Cluster\nmetadata: {name: bench}\nspec:\n  podCIDR: 10.240.0.0/12\n  nodes:\n' +
    '  - {name: cp-1, address: 172.18.0.2, labels: {node-role.kubernetes.io/control-plane: ""}, taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]}\n'
  for (let node = 0; node < Math.max(Math.ceil(pods / 100), 2); node += 1)
    text += `  - {name: worker-${node}, address: 172.18.${1 + Math.floor(node / 200)}.${1 + (node % 200)}}\n`
  text +=
    '---\napiVersion: v1\nkind: Pod\nmetadata: {name: client, namespace: shop, labels: {app: client}}\nspec: {containers: [{name: c, image: busybox}]}\n'
  for (let app = 0; app < Math.ceil(pods / 10); app += 1) {
    const replicas = Math.min(10, pods - app * 10)
    text +=
      `---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app-${app}, namespace: shop}\nspec:\n  replicas: ${replicas}\n` +
      `  selector: {matchLabels: {app: app-${app}}}\n  template:\n    metadata: {labels: {app: app-${app}}}\n` +
      '    spec: {containers: [{name: app, image: example.com/app:1, ports: [{containerPort: 8080}]}]}\n' +
      `---\napiVersion: v1\nkind: Service\nmetadata: {name: app-${app}, namespace: shop}\n` +
      `spec: {selector: {app: app-${app}}, ports: [{port: 80, targetPort: 8080}]}\n`
  }
  return text
}

/** What a lesson judges: some Services answer, from a pod. */
const CHECKS = [0, 1, 2, 3, 4]
  .map(
    (app) =>
      `apiVersion: hoplab.dev/v1\nkind: Probe\nmetadata: {name: reaches-${app}}\n` +
      `spec:\n  from: {pod: shop/client}\n  request: {http: {url: "http://app-${app}.shop/"}}\n  expect: {verdict: allowed, outcome: delivered}\n`,
  )
  .join('---\n')

/** Edits as somebody makes them, each of the last app and back: the text of the n-th. */
const EDITS = {
  'a replica more': (text, n, app) => swap(text, `name: app-${app}, namespace: shop}\nspec:\n  replicas: 10`, n, `name: app-${app}, namespace: shop}\nspec:\n  replicas: 11`),
  'a label of pods': (text, n, app) => swap(text, `    metadata: {labels: {app: app-${app}}}`, n, `    metadata: {labels: {app: app-${app}, tier: web}}`),
  'a Service port': (text, n, app) => swap(text, `spec: {selector: {app: app-${app}}, ports: [{port: 80,`, n, `spec: {selector: {app: app-${app}}, ports: [{port: 81,`),
  'a line above all': (text, n) => (n % 2 ? `# a comment\n${text}` : text),
}

function swap(text, before, n, after) {
  if (!text.includes(before)) throw new Error(`the text has no ${before}`)
  return n % 2 ? text.replace(before, after) : text
}

/** What the way from the worker to the page costs: the structured clone of a text, which the page then reads. */
const crossed = (text) => JSON.parse(deserialize(serialize(text)))

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

/** Runs that V8 has to compile what is hot, as after half a minute of typing; they are not counted. */
const WARM_UP = 30

/** Medians of so many runs, and of what each part of a run took. */
function measure(times, run) {
  const rows = []
  for (let n = 0; n < times + WARM_UP; n += 1) {
    const parts = {}
    let last = performance.now()
    const start = last
    const cpu = process.cpuUsage()
    run(n, (part) => {
      const now = performance.now()
      parts[part] = (parts[part] ?? 0) + now - last
      last = now
    })
    const used = process.cpuUsage(cpu)
    parts.wall = performance.now() - start
    parts.cpu = (used.user + used.system) / 1000
    if (n >= WARM_UP) rows.push(parts)
  }
  return Object.fromEntries(Object.keys(rows[0]).map((part) => [part, median(rows.map((row) => row[part]))]))
}

/** Held against the budget: time on the clock, or on the processor where that is less, as on a busy machine. */
function row(what, took, budget) {
  const { wall, cpu, ...parts } = took
  const verdict = budget === undefined ? '' : `${budget.toFixed(1)} ms  ${Math.min(wall, cpu) <= budget ? 'met' : 'MISSED'}`
  const shown = Object.entries(parts).map(([part, ms]) => `${part} ${ms.toFixed(2)}`).join(', ')
  console.log(`${what.padEnd(46)} ${wall.toFixed(2).padStart(8)} ms ${cpu.toFixed(2).padStart(8)} ms ${verdict.padStart(16)}  ${shown}`)
}

function loaded(text) {
  const engine = new Engine()
  const load = JSON.parse(engine.load(['bench.yaml'], [text], [], []))
  if (!load.fresh) throw new Error(JSON.stringify(load.diagnostics.slice(0, 3)))
  return engine
}

function sent(engine, to) {
  const text = engine.send('shop/client', to, 'GET', [], 1, 0, ...OPTIONS)
  if (!text.includes('"outcome":"delivered"')) throw new Error(text.slice(0, 1000))
  return text
}

/** An edit until the path is drawn anew, as the page does it: load, then send the last request again. */
function edits(pods, budget) {
  const text = manifests(pods)
  const engine = loaded(text)
  const app = Math.ceil(pods / 10) - 1
  const other = `http://app-${app - 1}.shop/`
  sent(engine, other)
  for (const [name, edit] of Object.entries(EDITS)) {
    const texts = [0, 1].map((n) => edit(text, n, app))
    const took = measure(20, (n, part) => {
      const load = engine.load(['bench.yaml'], [texts[(n + 1) % 2]], [], [])
      part('load')
      const result = sent(engine, other)
      part('send')
      crossed(load)
      crossed(result)
      part('crossing')
    })
    row(`edit to drawn path, ${pods} pods: ${name}`, took, budget)
    engine.load(['bench.yaml'], [text], [], [])
  }
  row(`scene alone, ${pods} pods`, measure(20, () => engine.scene(...OPTIONS)))
}

/** An edit until the verdicts of a lesson's checks are there. */
function lesson(pods) {
  const text = manifests(pods)
  const engine = loaded(text)
  const app = Math.ceil(pods / 10) - 1
  const texts = [0, 1].map((n) => EDITS['a label of pods'](text, n, app))
  const took = measure(20, (n, part) => {
    crossed(engine.load(['bench.yaml'], [texts[(n + 1) % 2]], [], []))
    part('load')
    const report = crossed(engine.check(['checks.yaml'], [CHECKS]))
    part('check')
    if (report.passed !== 5) throw new Error(JSON.stringify(report))
  })
  row(`edit to new verdicts, ${pods} pods, 5 checks`, took, 16)
}

/** A request alone, without the drawing: a command of the shell in a pod. */
function requests(pods) {
  const start = performance.now()
  const engine = loaded(manifests(pods))
  const took = performance.now() - start
  row(`load, ${pods} pods`, { wall: took, cpu: took })
  const host = `app-${Math.ceil(pods / 10) - 1}.shop.svc.cluster.local.`
  const run = () => {
    const { status, output } = JSON.parse(engine.exec('pod:shop/client', `curl -s http://${host}/`))
    if (status !== 0) throw new Error(output)
  }
  row(`request by name (curl), ${pods} pods`, measure(40, run), pods >= 10_000 ? 1 : undefined)
}

console.log(`${'what, in WebAssembly'.padEnd(46)} ${'median'.padStart(11)} ${'processor'.padStart(11)} ${'budget'.padStart(16)}`)
const only = process.argv[3]
if (!only || only === 'lesson') {
  lesson(50)
  edits(50, 16)
}
if (!only || only === 'edits') edits(1_000, 16)
if (!only || only === 'requests') requests(10_000)
