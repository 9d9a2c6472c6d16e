// Serves mock-dist with the server's own policy, so that the page can be tried before the engine is there.
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'

const CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.woff2': 'font/woff2', '.json': 'application/json', '.wasm': 'application/wasm' }
const dist = new URL('../../mock-dist/', import.meta.url)
const manifest = JSON.parse(await readFile(new URL('.vite/manifest.json', dist), 'utf8'))

function assets(entry) {
  const css = new Set([manifest['src/theme/site.css'].file])
  const walk = (key) => {
    manifest[key].css?.forEach((file) => css.add(file))
    manifest[key].imports?.forEach(walk)
  }
  walk(entry)
  return [...css].map((file) => `<link rel="stylesheet" href="/${file}">`).join('') + `<script type="module" src="/${manifest[entry].file}"></script>`
}
const page = (title, body, entry, attributes = '') => `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title>${assets(entry)}</head><body ${attributes}>${body}</body></html>`
const devPage = async (name, entry) => {
  const html = await readFile(new URL(`../../dev/${name}.html`, import.meta.url), 'utf8')
  const body = /<body([^>]*)>([\s\S]*?)<script/.exec(html)
  return page(name, body[2].replace('/dev/lesson.json', '/lessons/svc-lab-discovery.json'), entry, body[1])
}
const EXAMPLES = [{ id: 'online-boutique', title: 'Online <b>boutique</b>', summary: 'Eleven services', files: [{ name: 'shop.yaml', text: 'apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop}\nspec:\n  selector: {app: cart}\n  ports:\n  - port: 80\n    targetPort: 8080\n' }], request: { from: 'shop/client', to: 'http://cart.shop/' } }]

const server = createServer(async (request, response) => {
  const path = new URL(request.url, 'http://x').pathname
  response.setHeader('content-security-policy', CSP)
  const send = (type, body) => response.writeHead(200, { 'content-type': type }).end(body)
  try {
    if (path === '/playground') return send('text/html', page('playground', '<div id="playground"></div>', 'src/pages/playground.ts', 'class="app-page"'))
    if (path.startsWith('/lessons/') && path.endsWith('.json')) return send('application/json', await readFile(new URL('../../dev/lesson.json', import.meta.url)))
    if (path.startsWith('/lessons/')) return send('text/html', await devPage('lesson', 'src/pages/lesson.ts'))
    if (path === '/examples.json') return send('application/json', JSON.stringify(EXAMPLES))
    if (path === '/favicon.ico') return response.writeHead(204).end()
    if (path === '/') return send('text/html', page('home', '<main>home</main>', 'src/pages/page.ts', 'class="home"'))
    return send(TYPES[extname(path)] ?? 'text/plain', await readFile(new URL(`.${path}`, dist)))
  } catch {
    response.writeHead(404).end()
  }
})
server.listen(Number(process.env.PORT ?? 5201), () => console.log(`http://127.0.0.1:${server.address().port}`))
