// What can be measured of the look: nothing overlaps, nothing is clipped, nothing is too small to read. Keeps screenshots.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { check, journey, shots, until } from './harness.mjs'
import { away, drop, open, openShop, send } from './steps.mjs'

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
    if (p.right > area.right + 1 || p.left < area.left - 1 || p.top < area.top - 1 || p.bottom > area.bottom + 1) found.push(`${name(a)} reaches out of the drawing`)
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

// Manifests of other people: folders below HOPLAB_MANIFESTS, each opened as one drop. Not given: not run, and said so.
const folder = process.env.HOPLAB_MANIFESTS
if (!folder) console.log('note: HOPLAB_MANIFESTS is not set: worlds of other people are not drawn')
else {
  for (const world of readdirSync(folder).filter((name) => statSync(join(folder, name)).isDirectory())) {
    journey(`other people's world ${world}`, {}, async ({ page }) => {
      const files = readdirSync(join(folder, world)).filter((name) => /\.ya?ml$/.test(name)).map((name) => ({ name, text: readFileSync(join(folder, world, name), 'utf8') }))
      for (const [width, height] of SIZES) {
        await page.setViewportSize({ width, height })
        await open(page)
        if (width === 1440) await drop(page, files)
        await until('pods are drawn', () => page.locator('.scene .b.pod, .scene .b.podStack').count())
        await page.locator('.said button').click({ timeout: 2000 }).catch(() => undefined)
        await away(page)
        await page.waitForTimeout(500)
        await page.screenshot({ path: join(shots, `${world}-${width}.png`) })
        const found = await faults(page)
        check(found.length === 0, `at ${width}:\n       ${found.join('\n       ')}`)
      }
    })
  }
}
