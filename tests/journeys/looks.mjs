// What can be measured of the look: nothing overlaps, nothing is clipped, nothing is too small to read. Keeps screenshots.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { check, journey, shots, until } from './harness.mjs'
import { away, choose, drop, open, openShop, send } from './steps.mjs'

const SIZES = [[1440, 900], [1024, 768], [390, 844]]

/** Faults of the drawing and of the panels as one sees them now. */
export const faults = (page) => page.evaluate(() => {
  const found = []
  const box = (element) => element.getBoundingClientRect()
  const canvas = document.querySelector('.cv')
  const area = box(canvas)
  const kinds = ['pod', 'podStack', 'bridge', 'tunnel', 'hook', 'proxyTable', 'service', 'outside', 'router', 'host']
  const shapes = [...document.querySelectorAll('.scene .b')].filter((shape) => kinds.some((kind) => shape.classList.contains(kind)))
  const name = (shape) => shape.getAttribute('data-shape')
  shapes.forEach((a, i) => {
    const p = box(a)
    for (const b of shapes.slice(i + 1)) {
      const q = box(b)
      const w = Math.min(p.right, q.right) - Math.max(p.left, q.left)
      const h = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top)
      if (w > 2 && h > 2) found.push(`${name(a)} lies over ${name(b)} by ${Math.round(w)} × ${Math.round(h)}`)
    }
    // A phone's drawing is longer than its room and follows the packet; it is never wider.
    const long = area.width < 520
    if (p.right > area.right + 1 || p.left < area.left - 1 || (!long && (p.top < area.top - 1 || p.bottom > area.bottom + 1))) found.push(`${name(a)} reaches out of the drawing`)
  })
  for (const text of document.querySelectorAll('.scene .b .nm, .scene .b .tx, .scene .b .val, .scene .flip, .scene .cap, .scene .tag, .scene .disc')) {
    if (!text.textContent.trim()) continue
    const holder = text.closest('.b')
    if (text.scrollWidth > text.clientWidth + 1 && getComputedStyle(text).display !== 'inline') found.push(`"${text.textContent}" is clipped`)
    if (holder && text.isConnected) {
      const [t, b] = [box(text), box(holder)]
      if (t.right > b.right + 1 || t.bottom > b.bottom + 1 || t.left < b.left - 1 || t.top < b.top - 1) found.push(`"${text.textContent}" reaches out of ${name(holder)}`)
    }
  }
  const zoom = new DOMMatrix(getComputedStyle(document.querySelector('.scene')).transform).a
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())
    if (!own || element.closest('.sr, [hidden], option') || !element.checkVisibility()) continue
    const size = parseFloat(getComputedStyle(element).fontSize) * (element.closest('.scene') ? zoom : 1)
    if (size < 11) found.push(`"${element.textContent.slice(0, 30)}" has ${size} px`)
  }
  const wide = document.documentElement.scrollWidth - innerWidth
  if (wide > 0) found.push(`the page is ${wide} px too wide`)
  const zoomBar = document.querySelector('.zoom')
  if (zoomBar?.checkVisibility()) {
    const z = box(zoomBar)
    for (const shape of shapes) {
      const s = box(shape)
      if (Math.min(z.right, s.right) - Math.max(z.left, s.left) > 1 && Math.min(z.bottom, s.bottom) - Math.max(z.top, s.top) > 1) found.push(`the zoom control lies over ${name(shape)}`)
    }
  }
  return found
})

for (const [width, height] of SIZES) {
  for (const colorScheme of ['light', 'dark']) {
    journey(`looks at ${width}, ${colorScheme}`, { colorScheme, viewport: { width, height } }, async ({ page }) => {
      await openShop(page)
      await page.waitForTimeout(400)
      await page.screenshot({ path: join(shots, `world-${width}-${colorScheme}.png`) })
      const rest = await faults(page)
      check(rest.length === 0, `at rest:\n       ${rest.join('\n       ')}`)
      await send(page)
      await until('the first play has ended', () => page.getByRole('button', { name: /^Play/ }).count(), 8000)
      await page.waitForTimeout(300)
      await page.screenshot({ path: join(shots, `path-${width}-${colorScheme}.png`) })
      const path = await faults(page)
      check(path.length === 0, `on a path:\n       ${path.join('\n       ')}`)
    })
  }
}

/** Faults in each size, and a picture of each in light and dark. */
async function everySize(page, name, when) {
  for (const [width, height] of SIZES) {
    await page.setViewportSize({ width, height })
    const wanted = width < 720 ? width : null
    await until('the drawing has the new size', () => page.evaluate((w) => w === null || document.querySelector('.cv').clientWidth === w, wanted))
    await page.waitForTimeout(300)
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.screenshot({ path: join(shots, `${name}-${width}-${colorScheme}.png`) })
    }
    const found = await faults(page)
    check(found.length === 0, `${when} at ${width}:\n       ${found.join('\n       ')}`)
    if (when === 'at rest') continue
    // The packet is in sight wherever it is.
    for (const key of ['Home', ']', 'End']) {
      await page.keyboard.press(key)
      const lost = await page.evaluate(() => {
        const here = document.querySelector('.scene .b.here:not(.network):not(.node)')
        if (!here) return null
        const [a, b] = [here.getBoundingClientRect(), document.querySelector('.cv').getBoundingClientRect()]
        return a.bottom > b.bottom + 1 || a.top < b.top - 1 || a.right > b.right + 1 || a.left < b.left - 1 ? here.getAttribute('data-shape') : null
      })
      check(lost === null, `at ${width} after ${key}: ${lost} is the current hop and out of sight`)
    }
  }
}

/** Opens files, looks at them at rest, and, with a request, on its path. */
async function looks(page, name, files, request) {
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  await open(page)
  await drop(page, files)
  await until('machines are drawn', () => page.locator('.scene .b.pod, .scene .b.podStack, .scene .b.host').count())
  await page.locator('.said button').click({ timeout: 2000 }).catch(() => undefined)
  await away(page)
  await everySize(page, `${name}-world`, 'at rest')
  if (!request) return
  await page.setViewportSize({ width: SIZES[0][0], height: SIZES[0][1] })
  await choose(page, 'from', request.from)
  await page.locator('#kind').selectOption(request.to.startsWith('http') ? 'http' : 'tcp')
  await page.locator('#to').click()
  await page.locator('#to').fill(request.to)
  await page.locator('#to').press('Enter')
  await until('there is a path', () => page.locator('[role=slider][aria-label=Hop]').count())
  await away(page)
  await page.keyboard.press('End')
  await everySize(page, `${name}-path`, 'on a path')
}

// The worlds of the tests, each with the request that its name speaks of.
const SCENARIOS = fileURLToPath(new URL('../scenarios/', import.meta.url))
const REQUESTS = {
  'cluster-ip': ['client', 'http://web.shop/'],
  hairpin: ['web', 'http://web.shop/'],
  headless: ['client', 'db-1.db:5432'],
  'no-endpoints': ['client', 'http://web/'],
  'node-port-cluster': ['outside', 'http://172.18.0.3:30080/'],
  'node-port-local': ['outside', 'http://172.18.0.4:30080/'],
  'pod-to-pod-host-gw': ['client', 'pod:shop/web:8080'],
  'pod-to-pod-same-node': ['client', 'pod:shop/web:8080'],
  'pod-to-pod-vxlan': ['client', 'pod:shop/web:8080'],
  'policy-not-modelled': ['client', 'pod:shop/web:8080'],
  'declared-hosts': ['ann', 'http://10.20.0.50/'],
}
const LAN = `{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: lan}, spec: {cidr: 192.168.10.0/24}}
---
{apiVersion: hoplab.dev/v1, kind: Network, metadata: {name: servers}, spec: {cidr: 10.20.0.0/24}}
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: ann}
spec:
  interfaces: [{name: eth0, network: lan, addresses: [192.168.10.10/24]}]
  routes: [{to: default, via: 192.168.10.1}]
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: gate}
spec:
  interfaces: [{name: eth0, network: lan, addresses: [192.168.10.1/24]}, {name: eth1, network: servers, addresses: [10.20.0.1/24]}]
  sysctls: {net.ipv4.ip_forward: "1"}
---
apiVersion: hoplab.dev/v1
kind: Host
metadata: {name: racks}
spec:
  netns: [web, db]
  interfaces:
  - {name: eth0, network: servers, addresses: [10.20.0.50/24]}
  - {name: br0, type: bridge, addresses: [172.17.0.1/16]}
  - {name: vethweb, type: veth, peer: web0, master: br0}
  - {name: web0, type: veth, peer: vethweb, netns: web, addresses: [172.17.0.2/16]}
  - {name: vethdb, type: veth, peer: db0, master: br0}
  - {name: db0, type: veth, peer: vethdb, netns: db, addresses: [172.17.0.3/16]}
  routes: [{to: default, via: 10.20.0.1}]
  listen: [{port: 80, behavior: http}, {port: 5432, netns: db}]
`
for (const [world, request] of Object.entries(REQUESTS)) {
  journey(`looks of the world ${world}`, {}, async ({ page }) => {
    const text = world === 'declared-hosts' ? LAN : readFileSync(join(SCENARIOS, world, 'world.yaml'), 'utf8')
    await looks(page, world, [{ name: 'world.yaml', text }], { from: request[0], to: request[1] })
  })
}

// Manifests of other people: folders below HOPLAB_MANIFESTS, each opened as one drop. Not given: not run, and said so.
const folder = process.env.HOPLAB_MANIFESTS
if (!folder) console.log('note: HOPLAB_MANIFESTS is not set: worlds of other people are not drawn')
else {
  for (const world of readdirSync(folder).filter((name) => statSync(join(folder, name)).isDirectory())) {
    journey(`other people's world ${world}`, {}, async ({ page }) => {
      const files = readdirSync(join(folder, world)).filter((name) => /\.ya?ml$/.test(name)).map((name) => ({ name, text: readFileSync(join(folder, world, name), 'utf8') }))
      await looks(page, world, files, null)
    })
  }
}
