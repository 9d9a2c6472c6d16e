// Runs journeys in Chromium against a server that is up. A journey fails on a thrown error, on anything in the console
// that is an error, on an uncaught exception, and on a violation of the content security policy.
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

// playwright-core is a dependency of web/, from where this is run.
const { chromium } = createRequire(join(process.cwd(), 'package.json'))('playwright-core')

export const base = process.env.HOPLAB_URL ?? 'http://127.0.0.1:8080'
export const shots = process.env.HOPLAB_SHOTS ?? join(process.cwd(), 'shots')

const journeys = []

/** `options`: those of a browser context, and `allow`: a pattern of console errors that belong to the journey. */
export function journey(name, options, run) {
  journeys.push({ name, options, run })
}

export function check(condition, message) {
  if (!condition) throw new Error(message)
}

/** Tries until it holds or the time is up; the last error is the one reported. */
export async function until(what, test, ms = 10_000) {
  const end = Date.now() + ms
  let last
  while (Date.now() < end) {
    try {
      const value = await test()
      if (value) return value
      last = undefined
    } catch (error) {
      last = error
    }
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error(`${what}: not within ${ms} ms${last ? ` (${last.message})` : ''}`)
}

export async function runAll() {
  mkdirSync(shots, { recursive: true })
  const only = process.env.HOPLAB_ONLY ? new RegExp(process.env.HOPLAB_ONLY, 'i') : null
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
  let [passed, failed] = [0, 0]
  for (const { name, options, run } of journeys) {
    if (only && !only.test(name)) continue
    const { allow, ...contextOptions } = options
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: 'no-preference', ...contextOptions })
    context.setDefaultTimeout(15_000)
    const wrong = []
    const watch = (page) => {
      page.on('pageerror', (error) => wrong.push(`uncaught: ${error.message}`))
      page.on('console', (message) => {
        const text = `${message.text()} ${message.location().url ?? ''}`
        if (message.type() === 'error' && !(allow && allow.test(text))) wrong.push(`console: ${text}`)
      })
      page.on('dialog', (dialog) => {
        wrong.push(`dialog: ${dialog.message()}`)
        void dialog.dismiss()
      })
    }
    context.on('page', watch)
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ''}`))
    })
    const page = await context.newPage()
    const started = Date.now()
    try {
      await run({ page, context, browser })
      if (wrong.length > 0) throw new Error(wrong.join('\n       '))
      passed++
      console.log(`ok     ${name} (${Date.now() - started} ms)`)
    } catch (error) {
      failed++
      const shot = join(shots, `failed-${name.replace(/[^a-z0-9]+/gi, '-')}.png`)
      await page.screenshot({ path: shot }).catch(() => undefined)
      console.log(`FAILED ${name}\n       ${[error.message, ...wrong.filter((line) => !error.message.includes(line))].join('\n       ')}\n       ${shot}`)
    }
    await context.close()
  }
  await browser.close()
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 && passed > 0
}
