// Journeys through the playground.
import { check, journey, until } from './harness.mjs'
import { away, drop, editorText, hops, open, openShop, problems, sameSelection, selectedHop, send, SHOP, toStart, typeAtEnd, verdict } from './steps.mjs'

journey('a newcomer takes an example and sends its request', {}, async ({ page }) => {
  await open(page)
  await page.getByRole('button', { name: 'Take an example' }).click()
  await page.locator('[data-example]').first().click()
  await until('the example is drawn', () => page.locator('.scene .b.pod').count())
  await page.getByRole('button', { name: /^Send/ }).click()
  await until('a path is listed', () => hops(page))
  check(/delivered/.test(await verdict(page)), `the verdict is ${await verdict(page)}`)
})

journey('a click on a pod and a click on a Service send a request', {}, async ({ page }) => {
  await openShop(page)
  await page.locator('[data-shape="pod:shop/client"]').click()
  await page.locator('[data-shape="service:shop/cart"]').click()
  await until('a path is listed', () => hops(page))
  check(/delivered/.test(await verdict(page)), `the verdict is ${await verdict(page)}`)
})

journey('later requests are picked on the drawing with P', {}, async ({ page }) => {
  await openShop(page)
  await send(page)
  await page.keyboard.press('p')
  await page.locator('[data-shape="node:worker-1"]').click({ position: { x: 40, y: 12 } })
  await page.locator('[data-shape="service:shop/cart"]').click()
  await until('the request starts at the node', async () => (await page.locator('#from').inputValue()) === 'worker-1')
  await until('the path is its own', async () => (await page.locator('[role=slider][aria-label=Hop]').count()) === 1)
})

journey('the first play stops on the interesting hop within six seconds', {}, async ({ page }) => {
  await openShop(page)
  await send(page)
  await until('it plays', () => page.getByRole('button', { name: /^Pause/ }).count())
  await until('it waits', () => page.getByRole('button', { name: /^Play/ }).count(), 6500)
  await sameSelection(page)
  check(await page.locator('.scene .disc').count(), 'no box that was passed has its number')
})

journey('stepping moves list, drawing, player and inspector together', {}, async ({ page }) => {
  await openShop(page)
  await send(page)
  await toStart(page)
  const first = await selectedHop(page)
  for (let i = 0; i < 6; i++) {
    const before = await selectedHop(page)
    await page.keyboard.press('.')
    await until('the next hop is selected', async () => (await selectedHop(page)) !== before)
    await sameSelection(page)
  }
  for (let i = 0; i < 6; i++) await page.keyboard.press(',')
  check((await selectedHop(page)) === first, 'six steps back do not undo six steps on')
  await until('the selected hop is in sight in the list', () =>
    page.evaluate(() => {
      const row = document.querySelector('[role=option][aria-selected="true"]')
      const { x, y, width, height } = row.getBoundingClientRect()
      return row.contains(document.elementFromPoint(x + width / 2, y + height / 2))
    }),
  )
  await page.keyboard.press(']')
  const leg = await page.locator('[role=slider][aria-label=Hop]').getAttribute('aria-valuetext')
  check(/^Hop 1 of/.test(leg ?? ''), `the next leg starts with "${leg}"`)
})

journey('a look-up shows the names that were tried, and leads to their packets and to the cache', {}, async ({ page }) => {
  await openShop(page)
  await send(page)
  const lookUp = page.locator('details', { hasText: 'Look-up' })
  check(/4 queries, 2 names/.test(await lookUp.innerText()), `the look-up says "${await lookUp.innerText()}"`)
  await lookUp.locator('summary').click()
  const tried = page.getByRole('list', { name: 'Names that were tried' })
  await tried.getByRole('button', { name: /^cart\.shop\.svc\.cluster\.local A\b/ }).click()
  await until('the query is selected', async () => (await page.locator('.ev[aria-selected="true"]').count()) === 1)
  await sameSelection(page)
  await tried.getByRole('button', { name: /answered/ }).first().click()
  const inspector = page.locator('#inspector')
  await until('the cache is shown', async () => /Cache of coredns/.test(await inspector.innerText()))
})

journey('the track can be scrubbed by pointer and by keys', {}, async ({ page }) => {
  await openShop(page)
  await send(page)
  await toStart(page)
  const slider = page.locator('[role=slider][aria-label=Hop]')
  const box = await slider.boundingBox()
  await page.mouse.move(box.x + 4, box.y + box.height / 2)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 12 })
  await page.mouse.up()
  const middle = Number(await slider.getAttribute('aria-valuenow'))
  check(middle > 3, `scrubbing to the middle leads to stop ${middle}`)
  await sameSelection(page)
  await slider.focus()
  await page.keyboard.press('End')
  check((await slider.getAttribute('aria-valuenow')) === (await slider.getAttribute('aria-valuemax')), 'End does not go to the last stop')
  await page.keyboard.press('ArrowLeft')
  await sameSelection(page)
})

journey('an edit changes the drawing and the path at once, at the same hop', {}, async ({ page }) => {
  await openShop(page)
  await send(page)
  await toStart(page)
  for (let i = 0; i < 3; i++) await page.keyboard.press('.')
  await until('the packet stands', async () => !(await page.locator('.thumb').count()) || true)
  await page.waitForTimeout(600)
  const hop = await page.locator('[role=option][aria-selected=true] .dev').first().innerText()
  await typeAtEnd(page, '---\napiVersion: v1\nkind: Pod\nmetadata: {name: late, namespace: shop}\nspec: {nodeName: worker-1, containers: [{name: a, image: busybox}]}\n')
  await until('the new pod is in the tree', () => page.getByRole('treeitem', { name: /^late/ }).count())
  check((await page.locator('[role=option][aria-selected=true] .dev').first().innerText()) === hop, 'the edit moved the selection to another hop')
  // The Service now sends to a port on which nobody listens.
  await page.locator('.cm-content').click()
  await page.keyboard.press('Control+f')
  await page.locator('.cm-search input[name=search]').fill('targetPort: 8080')
  await page.locator('.cm-search input[name=replace]').fill('targetPort: 9999')
  await page.locator('.cm-search [name=replaceAll]').click()
  await page.keyboard.press('Escape')
  await until('the path says refused', async () => /refused/.test(await verdict(page)))
})

journey('the hop leads to the line of YAML that decided it', {}, async ({ page }) => {
  await openShop(page)
  await send(page)
  // The look-up's own rewriting comes from the default world, which is in no file: the first hop that has one is meant.
  const rows = page.locator('[role=option][id^=hop-]', { has: page.locator('.tag.nat') })
  const link = page.locator('#inspector .src button').first()
  for (let i = 0; i < (await rows.count()) && !(await link.count()); i++) await rows.nth(i).click()
  await link.click()
  await until('a line is marked', () => page.locator('.cm-line.used').count())
  check(/used at hop/.test(await page.locator('.cm-line.used').innerText()), 'the marked line does not say at which hop')
})

journey('bad YAML keeps the last good world and what was typed', {}, async ({ page }) => {
  await openShop(page)
  const shapes = await page.locator('[data-shape]').count()
  await typeAtEnd(page, '---\nkind: [\n')
  await until('a problem is counted', async () => (await problems(page)) > 0, 2000)
  check(await page.locator('.cv.stale').count(), 'the drawing does not show that it is stale')
  check((await page.locator('[data-shape]').count()) === shapes, 'the last good world is not drawn')
  check(await page.locator('.cm-lintRange-error, .cm-lint-marker-error').count(), 'the line is not marked')
  await page.waitForTimeout(400)
  await page.reload()
  await until('the editor is there', () => page.locator('.cm-content').count())
  await page.locator('.cm-content').click()
  await page.keyboard.press('Control+End')
  await until('what was typed is there', async () => /kind: \[/.test(await editorText(page)))
  await until('after a reload, too, the last good world is drawn', async () => (await page.locator('[data-shape]').count()) === shapes)
  await page.locator('.cv button', { hasText: 'Show' }).click()
  check(/HOP\d+/.test(await page.locator('.problems').innerText()), 'the note does not lead to the problems')
})

for (const [name, file, refused] of [
  ['an unclosed bracket', { name: 'a.yaml', text: 'kind: [\n' }, false],
  ['a port of "eighty"', { name: 'a.yaml', text: SHOP.replace('port: 80,', 'port: eighty,') }, false],
  ['a duplicate name', { name: 'a.yaml', text: `${SHOP}---\n${SHOP}` }, false],
  ['a NUL byte', { name: 'a.yaml', text: 'kind: Pod\u0000\n' }, false],
  ['an alias bomb', { name: 'a.yaml', text: ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefghi'.split('').map((letter, i) => `${letter}: &${letter} [${Array(9).fill(`*${'abcdefghi'[i]}`).join(',')}]`)].join('\n') }, false],
  ['a file of 50 MB', { name: 'big.yaml', size: 50_000_000 }, true],
]) {
  journey(`bad input: ${name}`, {}, async ({ page }) => {
    await openShop(page)
    await drop(page, [file])
    if (refused) {
      await until('it is refused in words', async () => /50\.0 MB/.test(await page.locator('.said').innerText()), 2000)
      check((await page.locator('.files [role=tab]').count()) === 1, 'the file was opened all the same')
    } else {
      await until('a problem is counted', async () => (await problems(page)) > 0, 2000)
      check(await page.locator('.files [role=tab]', { hasText: 'a.yaml' }).count(), 'what was dropped is not in the editor')
    }
    check(await page.locator('[data-shape="service:shop/cart"]').count(), 'the last good world is gone')
  })
}

journey('bad input: an empty file', {}, async ({ page }) => {
  await openShop(page)
  await drop(page, [{ name: 'empty.yaml', text: '' }])
  await until('it is a tab', () => page.locator('.files [role=tab]', { hasText: 'empty.yaml' }).count())
  check(await page.locator('[data-shape="service:shop/cart"]').count(), 'the world is gone')
})

journey('several files and a pasted manifest are taken; undo brings everything back', { permissions: ['clipboard-read', 'clipboard-write'] }, async ({ page }) => {
  await open(page)
  await drop(page, [{ name: 'b.yaml', text: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n' }, { name: 'a.yaml', text: SHOP }, { name: 'notes.txt', text: 'no' }])
  await until('two tabs', async () => (await page.locator('.files [role=tab]').count()) === 2)
  await away(page)
  await page.evaluate(() => {
    const data = new DataTransfer()
    data.setData('text/plain', 'apiVersion: v1\nkind: Namespace\nmetadata: {name: pasted}\n')
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, composed: true }))
  })
  await until('three tabs', async () => (await page.locator('.files [role=tab]').count()) === 3)
  await away(page)
  await page.keyboard.press('Control+z')
  await page.keyboard.press('Control+z')
  await until('no tabs', async () => (await page.locator('.files [role=tab]').count()) === 0)
  await page.keyboard.press('Control+Shift+z')
  await until('two tabs again', async () => (await page.locator('.files [role=tab]').count()) === 2)
})

journey('a link carries the world and its request', {}, async ({ page, browser }) => {
  await openShop(page)
  await send(page)
  await page.getByRole('button', { name: /^Share/ }).click()
  const link = await until('the link is in the address bar', () => (page.url().includes('#w1=') ? page.url() : null))
  const context = await browser.newContext()
  const other = await context.newPage()
  await other.goto(link)
  await until('the world is drawn', () => other.locator('[data-shape="service:shop/cart"]').count())
  check((await other.locator('#to').inputValue()) === 'http://cart.shop/', 'the request did not come along')
  check(!other.url().includes('#'), 'the old world stays in the address bar')
  await context.close()
})

journey('everything can be done with the keyboard alone', {}, async ({ page }) => {
  await openShop(page)
  await page.keyboard.press('Control+k')
  await page.keyboard.type('service cart')
  await page.keyboard.press('Enter')
  await until('the Service has the focus', () => page.evaluate(() => document.activeElement?.getAttribute('data-shape') === 'service:shop/cart'))
  const seen = new Set()
  for (const key of ['ArrowLeft', 'ArrowDown', 'ArrowRight', 'ArrowUp', 'ArrowLeft', 'ArrowLeft']) {
    await page.keyboard.press(key)
    await page.waitForTimeout(40)
    const at = await page.evaluate(() => ({ shape: document.activeElement?.getAttribute('data-shape'), spoken: document.activeElement?.getAttribute('aria-label') }))
    check(at.shape && at.spoken, `${key} loses the focus`)
    seen.add(at.shape)
  }
  check(seen.size >= 3, `arrows reach only ${[...seen].join(', ')}`)
  check((await page.locator('.scene button[tabindex="0"]').count()) === 1, 'the drawing is not one tab stop')
  // From the tree: the client's menu, then the Service's.
  for (const [name, item] of [[/^client, pod/, 'Send from here'], [/^cart, service/i, 'Send to here']]) {
    await page.getByRole('treeitem', { name }).first().focus()
    await page.keyboard.press('Shift+F10')
    await until('the menu is open', () => page.getByRole('menuitem', { name: item }).count())
    while (!(await page.evaluate((text) => document.activeElement?.textContent?.includes(text), item))) await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
  }
  await until('a path is listed', () => hops(page))
  await page.locator('[role=listbox][aria-label=Hops]').focus()
  await page.keyboard.press('Home')
  const first = await selectedHop(page)
  await page.keyboard.press('ArrowDown')
  check((await selectedHop(page)) !== first, 'the list of hops does not move with the arrows')
  await page.keyboard.press('Enter')
  check(await page.evaluate(() => document.activeElement?.id === 'inspector'), 'Enter does not lead to the inspector')
  // The editor lets go: Escape, then Tab.
  await page.locator('.cm-content').focus()
  await page.keyboard.press('Escape')
  await page.keyboard.press('Tab')
  check(await page.evaluate(() => !document.activeElement?.shadowRoot), 'Escape and Tab do not leave the editor')
})

journey('Tab reaches every control, and each shows where the focus is', {}, async ({ page }) => {
  await openShop(page)
  await send(page)
  await page.keyboard.press('End')
  await page.locator('body').focus()
  await page.evaluate(() => document.body.setAttribute('tabindex', '-1'))
  await page.locator('body').focus()
  const reached = new Set()
  const unseen = []
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press('Tab')
    const at = await page.evaluate(() => {
      const one = document.activeElement
      if (!one || one === document.body) return null
      const name = (one.getAttribute('aria-label') ?? one.textContent ?? '').trim().slice(0, 40) || one.id || one.className || one.tagName
      one.dataset.reached = '1'
      const style = getComputedStyle(one)
      const ringed = (element) => element && (getComputedStyle(element).outlineStyle !== 'none' || getComputedStyle(element).boxShadow !== 'none')
      const seen = style.outlineStyle !== 'none' || ringed(one.parentElement) || ringed(one.closest('.cm-editor, .box, .fld')) || one.matches('.cm-content, .host, [role=log]')
      const box = one.getBoundingClientRect()
      return { key: `${one.tagName} ${one.id} ${name}`, name, seen, small: box.width < 1 || box.height < 1 }
    })
    if (at === null || (at.key && reached.has(at.key) && reached.size > 15)) break
    reached.add(at.key)
    if (!at.seen && !at.small) unseen.push(at.name)
    // The editor lets go after Escape.
    if (await page.evaluate(() => document.activeElement?.shadowRoot !== null || /cm-content/.test(document.activeElement.className))) await page.keyboard.press('Escape')
  }
  check(unseen.length === 0, `no ring around: ${unseen.join(', ')}`)
  // Whatever can be clicked and is no part of a group with one tab stop was reached.
  const missed = await page.evaluate(() => [...document.querySelectorAll('button, a[href], input, select, textarea, summary')]
    .filter((one) => one.checkVisibility() && !one.disabled && one.tabIndex >= 0 && !one.dataset.reached && !one.closest('[inert], [role=tree]'))
    .map((one) => (one.getAttribute('aria-label') ?? one.textContent ?? one.id).trim().slice(0, 40)))
  check(missed.length === 0, `not reached by Tab: ${missed.join(', ')}`)
})

journey('what happens is announced, legs and results alone', {}, async ({ page }) => {
  await openShop(page)
  await send(page)
  await away(page)
  await page.keyboard.press('End')
  const live = await page.evaluate(() => [...document.querySelectorAll('[aria-live], [role=status], [role=alert], [role=log]')].map((one) => one.textContent?.trim() ?? '').filter(Boolean))
  check(live.some((text) => /delivered|Answered/i.test(text)), `no live region says what came of it: ${live.join(' | ').slice(0, 200)}`)
  const inspector = await page.locator('#inspector [aria-live]').getAttribute('aria-live')
  check(inspector === 'polite', 'the inspector is not read when the player rests')
})

journey('letters do nothing while text is typed, and can be turned off', {}, async ({ page }) => {
  await openShop(page)
  await page.locator('#to').click()
  await page.locator('#to').fill('')
  await page.keyboard.type('er')
  check(!(await page.locator('dialog[open]').count()), 'a letter opened a dialog while typing')
  check((await page.locator('#to').inputValue()) === 'er', 'a letter was lost')
  await away(page)
  await page.keyboard.press('?')
  await page.locator('dialog input[type=checkbox]').uncheck()
  await page.keyboard.press('Escape')
  await page.keyboard.press('e')
  check(!(await page.locator('dialog[open]').count()), 'a letter acts although letters are off')
  await page.keyboard.press('Control+k')
  check(await page.locator('dialog[open]').count(), 'Ctrl+K does not open the finder')
})

journey('with reduced motion nothing travels and each stop shows the packet', { reducedMotion: 'reduce' }, async ({ page }) => {
  await openShop(page)
  await send(page)
  await toStart(page)
  await page.keyboard.press('.')
  check((await page.locator('[role=slider][aria-label=Hop]').getAttribute('aria-valuenow')) === '2', 'the step is not at once')
  await sameSelection(page)
  await page.keyboard.press(' ')
  const at = async () => Number(await page.locator('[role=slider][aria-label=Hop]').getAttribute('aria-valuenow'))
  const start = await at()
  await page.waitForTimeout(1000)
  check((await at()) - start <= 1, 'play does not leave time to read')
  await until('play goes on', async () => (await at()) > start + 1, 4000)
})

journey('markup and control characters in names stay text', {}, async ({ page }) => {
  const nasty = '<img src=x onerror=globalThis.pwned=1>'
  const yaml = `apiVersion: v1\nkind: Pod\nmetadata:\n  name: client\n  namespace: shop\n  labels: {app: "${nasty}"}\n  annotations: {note: "</script><script>globalThis.pwned=1</script>"}\nspec: {containers: [{name: "${nasty}", image: "${nasty}"}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: "${nasty}", namespace: shop}\nspec: {ports: [{port: 80}]}\n---\napiVersion: example.com/v1\nkind: "${nasty}"\nmetadata: {name: "a\\u202eb\\u0007"}\n`
  await openShop(page)
  await drop(page, [{ name: `${nasty}.yaml`, text: yaml }])
  await until('the hostile file is a tab', () => page.locator('.files [role=tab]', { hasText: 'onerror' }).count())
  await page.getByRole('button', { name: /^Problems/ }).click()
  await send(page)
  await page.keyboard.press('Control+k')
  await page.keyboard.type('onerror')
  await page.waitForTimeout(300)
  check((await page.locator('img').count()) === 0, 'a name became an element')
  check(!(await page.evaluate(() => globalThis.pwned)), 'a name was run')
})

journey('the terminal runs commands where it is told to', {}, async ({ page }) => {
  await openShop(page)
  await page.keyboard.press('t')
  await until('the terminal has the focus', () => page.evaluate(() => document.activeElement?.id === 'terminal-line'))
  await page.locator('#terminal-place').selectOption({ label: (await page.locator('#terminal-place option').allInnerTexts()).find((text) => text.startsWith('worker-1')) })
  await page.locator('#terminal-line').fill('ip route')
  await page.keyboard.press('Enter')
  await until('routes are printed', async () => /10\.244\.\d+\.0\/24/.test(await page.locator('[role=log]').innerText()))
  await page.keyboard.press('ArrowUp')
  check((await page.locator('#terminal-line').inputValue()) === 'ip route', 'the line typed before does not come back')
})

journey('what the terminal changes survives a reload and is undone with the document', {}, async ({ page }) => {
  await open(page)
  await drop(page, [{ name: 'ann.yaml', text: 'apiVersion: hoplab.dev/v1\nkind: Host\nmetadata: {name: ann}\nspec: {interfaces: [{name: eth0, network: lan}]}\n' }])
  await until('the machine is drawn', () => page.locator('[data-shape="host:ann"]').count())
  const run = async (line) => {
    await away(page)
    await page.keyboard.press('t')
    await page.locator('#terminal-place').selectOption('host:ann')
    await page.locator('#terminal-line').fill(line)
    await page.locator('#terminal-line').press('Enter')
    await until(`${line} has run`, async () => (await page.locator('.tm pre').innerText()).includes(line))
    await page.waitForTimeout(400)
    return (await page.locator('.tm pre').innerText()).split(`$ ${line}`).pop()
  }
  await run('ip addr add 10.9.0.1/24 dev eth0')
  check((await run('ip -br addr show dev eth0')).includes('10.9.0.1/24'), 'the address is not there')
  await page.waitForTimeout(400)
  await page.reload()
  await until('the machine is drawn again', () => page.locator('[data-shape="host:ann"]').count())
  check((await run('ip -br addr show dev eth0')).includes('10.9.0.1/24'), 'a reload lost what was typed')
  check((await run('undo')).includes('nothing was changed'), 'a new visit has a history of its own')
  await run('ip addr del 10.9.0.1/24 dev eth0')
  check(!(await run('ip -br addr show dev eth0')).includes('10.9.0.1/24'), 'the address is still there')
  check((await run('undo')).includes('undone: ip addr del'), 'undo does not say what it took back')
  check((await run('ip -br addr show dev eth0')).includes('10.9.0.1/24'), 'undo did not bring the address back')
})

journey('the lens folds stops and comes back to every one', {}, async ({ page }) => {
  await openShop(page)
  await send(page)
  const all = await hops(page)
  await page.getByRole('radio', { name: 'Services' }).click()
  const some = await hops(page)
  check(some > 1 && some < all, `the lens on Services shows ${some} of ${all} stops`)
  await sameSelection(page)
  await page.getByRole('radio', { name: 'Kernel' }).click()
  check((await hops(page)) === all, 'the lens on the kernel does not show every stop')
})

journey('two tabs keep a world each, and the other one can be come back to', {}, async ({ page, context }) => {
  await openShop(page)
  await until('the world is kept', () => page.evaluate(() => Object.keys(localStorage).some((key) => key.startsWith('hoplab.world.'))))
  const other = await context.newPage()
  await other.goto(page.url())
  await until('the second tab starts empty', () => other.getByText('Nothing is deployed yet').count())
  check(await other.locator('[data-recent]', { hasText: 'shop' }).count(), 'the world of the first tab is not offered')
  await drop(other, [{ name: 'mine.yaml', text: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: mine}\n' }])
  await until('it is a tab', () => other.locator('.files [role=tab]', { hasText: 'mine.yaml' }).count())
  await typeAtEnd(page, '# typed in the first\n')
  await page.waitForTimeout(500)
  for (const [tab, file] of [[page, 'shop.yaml'], [other, 'mine.yaml']]) {
    await tab.reload()
    await until(`${file} is back`, () => tab.locator('.files [role=tab]', { hasText: file }).count())
    check((await tab.locator('.files [role=tab]').count()) === 1, 'a file of the other tab is in this one')
  }
  // An example takes the place of the world, which stays among the recent ones.
  await away(other)
  await other.keyboard.press('e')
  await other.locator('[data-example]').first().click()
  await until('the example is drawn', () => other.locator('.scene .b.pod').count())
  await away(other)
  await other.keyboard.press('e')
  await other.locator('[data-recent]', { hasText: 'mine' }).click()
  await until('the world before is back', () => other.locator('.files [role=tab]', { hasText: 'mine.yaml' }).count())
})
