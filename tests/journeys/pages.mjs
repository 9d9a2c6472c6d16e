// Journeys through the lesson and the pages that are read.
import { base, check, journey, until } from './harness.mjs'
import { away } from './steps.mjs'

const LESSON = '/lessons/svc-lab-discovery'

journey('the lesson: a guess unlocks the run, and progress stays', {}, async ({ page }) => {
  await page.goto(base + LESSON)
  await page.waitForSelector('[data-shape]')
  const lock = page.getByRole('button', { name: 'Lock in and run' })
  check((await lock.getAttribute('aria-disabled')) === 'true', 'it can be run without a guess')
  await away(page)
  await page.keyboard.press('r')
  await page.waitForTimeout(300)
  check(await page.getByText('Waits for your guess').count(), 'the player runs before the guess')
  await page.locator('#question input').first().check()
  await lock.click()
  await until('the run is there', () => page.locator('[role=slider][aria-label=Hop]').count())
  await until('the guess stands beside the truth', async () => /Your guess\./.test(await page.locator('#question').innerText()))
  await until('checks are judged', () => page.locator('.checks li').count())
  check(await page.getByText('does not hold').count(), 'the start of the lesson passes all its checks')
  await page.reload()
  await page.waitForSelector('[data-shape]')
  await until('the guess is kept', async () => /Your guess\./.test(await page.locator('#question').innerText()))
  check((await page.locator('.steps [aria-current]').innerText()).includes('Run'), 'the part is not kept')
})

journey('the lesson shows a drawing from the first moment on, without a jump', {}, async ({ page }) => {
  await page.addInitScript(() => {
    globalThis.bare = 0
    const look = () => {
      const work = document.querySelector('.work')
      if (work && !work.querySelector('svg.scene, [data-shape]')) globalThis.bare++
      requestAnimationFrame(look)
    }
    look()
  })
  const boxOf = (selector) => page.locator(selector).first().boundingBox()
  await page.route('**/*.wasm', async (route) => {
    await new Promise((done) => setTimeout(done, 800))
    await route.continue()
  })
  await page.goto(base + LESSON)
  await until('the client is there', () => page.locator('.work form.req').count())
  const still = await boxOf('.work svg.scene')
  await page.waitForSelector('[data-shape]')
  const live = await boxOf('.work .cv .scene')
  check((await page.locator('.work svg.scene').count()) === 0, 'the still drawing stays')
  check((await page.evaluate(() => globalThis.bare)) === 0, 'for a moment nothing was drawn')
  for (const side of ['x', 'y', 'width', 'height']) check(Math.abs(still[side] - live[side]) <= 3, `the drawing jumps: ${JSON.stringify(still)} becomes ${JSON.stringify(live)}`)
})

journey('the lesson reads whole without JavaScript', { javaScriptEnabled: false }, async ({ page }) => {
  await page.goto(base + LESSON)
  for (const part of ['predict', 'run', 'see', 'explain']) check(await page.locator(`[data-part="${part}"]`).isVisible(), `part ${part} cannot be seen`)
  check((await page.locator('.prose').innerText()).length > 1500, 'the text is not there')
  check(await page.locator('details').count(), 'the answers are not there')
})

for (const [path, options] of [['/', {}], ['/lessons', {}], ['/reference', {}], ['/reference/diagnostics', {}], ['/reference/model', {}], ['/no-such-page', { allow: /404/ }]]) {
  for (const colorScheme of ['light', 'dark']) {
    journey(`page ${path} in ${colorScheme}`, { ...options, colorScheme }, async ({ page }) => {
      for (const width of [1440, 1024, 390]) {
        await page.setViewportSize({ width, height: 844 })
        await page.goto(base + path)
        check(await page.locator('h1').count(), 'it has no heading')
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        check(wide <= 0, `it is ${wide} px too wide at ${width}`)
      }
    })
  }
}

journey('the switch of colours is kept from page to page', { colorScheme: 'light' }, async ({ page }) => {
  await page.goto(base + '/')
  await page.locator('[data-theme-switch]').click()
  check((await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)) === 'dark', 'it does not turn dark')
  await page.goto(base + '/lessons')
  check((await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)) === 'dark', 'the next page has forgotten it')
})
