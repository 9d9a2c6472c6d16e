// What a person does in the playground, said once.
import { base, check, until } from './harness.mjs'

/** The world that the journeys use: a client, two Deployments and their Services, on the default cluster. */
export const SHOP = `apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop}
spec: {nodeName: worker-1, containers: [{name: curl, image: curlimages/curl}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec:
      containers:
      - name: cart
        image: registry.k8s.io/e2e-test-images/agnhost:2.47
        args: [netexec, --http-port=8080]
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  selector: {app: cart}
  ports: [{name: http, port: 80, targetPort: 8080}]
`

export async function open(page, path = '/playground') {
  await page.goto(base + path)
  await page.waitForSelector('[data-shape]')
}

/** Drops files onto the page, as from a file manager. */
export async function drop(page, files) {
  const transfer = await page.evaluateHandle((list) => {
    const data = new DataTransfer()
    for (const { name, text, size } of list) data.items.add(new File([size === undefined ? text : new Uint8Array(size)], name))
    return data
  }, files)
  await page.dispatchEvent('body', 'dragover', { dataTransfer: transfer })
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer })
}

/** Opens the shop and waits until its Service is drawn. */
export async function openShop(page, extra = []) {
  await open(page)
  await drop(page, [{ name: 'shop.yaml', text: SHOP }, ...extra])
  // A phone draws what is on the path, so the Service itself may not be there.
  await until('the client is drawn', () => page.locator('[data-shape="pod:shop/client"]').count())
  await page.locator('.said button').click({ timeout: 3000 }).catch(() => undefined)
}

export async function choose(page, field, text) {
  const input = page.locator(`#${field}`)
  await input.click()
  await input.fill(text)
  await input.press('ArrowDown')
  await input.press('Enter')
}

/** Sends and waits until the path is there. */
export async function send(page, from = 'client', to = 'http://cart.shop/') {
  await choose(page, 'from', from)
  await page.locator('#to').click()
  await page.locator('#to').fill(to)
  await page.locator('#to').press('Enter')
  await until('there is a path', () => page.locator('[role=slider][aria-label=Hop]').count())
  await away(page)
}

/** Takes the focus out of fields, so that keys mean commands. */
export const away = (page) => page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur())

export const hops = (page) => page.locator('[role=option][id^=hop-]').count()
export const selectedHop = (page) => page.locator('[role=option][id^=hop-][aria-selected=true]').getAttribute('id')
export const verdict = (page) => page.locator('.path .verdict').innerText()

/** Puts the player at rest at the start. */
export async function toStart(page) {
  await away(page)
  await page.keyboard.press('Home')
  await until('the player is at the start', async () => (await page.locator('[role=slider][aria-label=Hop]').getAttribute('aria-valuenow')) === '1')
}

/** The list, the drawing, the thumb and the inspector name the same hop. */
export async function sameSelection(page) {
  const state = await page.evaluate(() => {
    const row = document.querySelector('[role=option][id^=hop-][aria-selected=true]')
    return {
      number: row?.querySelector('.no')?.textContent ?? '',
      inspector: document.querySelector('#inspector .at')?.textContent ?? '',
      slider: document.querySelector('[role=slider][aria-label=Hop]')?.getAttribute('aria-valuetext') ?? '',
      here: document.querySelectorAll('.scene .b.here').length,
      selected: document.querySelectorAll('.scene .b.selected').length,
    }
  })
  check(state.inspector.startsWith(`hop ${state.number} of`), `the list is at hop ${state.number}, the inspector says "${state.inspector}"`)
  check(state.slider.startsWith(`Hop ${state.number} of`), `the list is at hop ${state.number}, the slider says "${state.slider}"`)
  check(state.here <= 1 && state.selected <= 1, `${state.here} boxes are the current one, ${state.selected} are selected`)
}

/** Types into the editor at the end of the open file. */
export async function typeAtEnd(page, text) {
  await page.locator('.cm-content').click()
  await page.keyboard.press('Control+End')
  await page.keyboard.insertText(text)
}

/** The editor's text; only lines in sight are in the page, so keep files short. */
export const editorText = (page) => page.locator('.cm-content').innerText()
export const problems = async (page) => Number(await page.locator('.drawer .tab .n').last().innerText())
