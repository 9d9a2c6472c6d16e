// The page as a whole: what arrives on it (files, pasted text, a link), its width, whether there is a network.
import { EMPTY, freeName, worldOf, type SourceText, type World } from '../document/files'
import { fromFile, incomingOf, looksLikeManifest, take, type Incoming } from '../document/intake'
import { fromFragment, isLink, toFragment } from '../document/link'
import { decode, type SavedRequest } from '../document/saved'
import type { Kept, Worlds } from '../document/worlds'
import type { Desk } from '../panels/desk.svelte'
import type { Example } from '../panels/examples'
import type { Session } from '../player/session.svelte'

const THREE_NODES = `apiVersion: hoplab.dev/v1
kind: Cluster
metadata: {name: k3}
spec:
  cni: {name: flannel, backend: vxlan, policy: agent}
  proxy: {mode: iptables}
`

export class Surface {
  width = $state(window.innerWidth)
  offline = $state(!navigator.onLine)
  /** Something is being dragged over the page. */
  dropping = $state(false)
  /** A sentence about what was just done. */
  said = $state<string | null>(null)
  /** What was kept or linked has been opened; before that nothing is loaded. */
  opened = $state(false)

  #quiet: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly session: Session, private readonly desk: Desk, private readonly worlds: Worlds) {
    void this.#open()
  }

  /** Listens to the document for as long as the page is mounted. */
  readonly attach = () => {
    const off = new AbortController()
    const { signal } = off
    const on = <K extends keyof WindowEventMap>(name: K, listener: (event: WindowEventMap[K]) => void) => window.addEventListener(name, listener, { signal })
    on('resize', () => (this.width = window.innerWidth))
    on('online', () => (this.offline = false))
    on('offline', () => (this.offline = true))
    on('hashchange', () => void this.#openLink())
    on('pagehide', () => void this.session.document.flush())
    document.addEventListener('visibilitychange', () => void (document.hidden && this.session.document.flush()), { signal })
    on('dragover', (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return
      event.preventDefault()
      this.dropping = true
    })
    on('dragleave', (event) => {
      if (event.relatedTarget === null) this.dropping = false
    })
    on('drop', (event) => {
      this.dropping = false
      if (!event.dataTransfer?.types.includes('Files')) return
      event.preventDefault()
      void incomingOf(event.dataTransfer.items, event.dataTransfer.files).then((incoming) => this.receive(incoming))
    })
    on('paste', (event) => {
      const target = event.composedPath()[0]
      if (target instanceof Element && target.closest('input, textarea, select, [contenteditable="true"]')) return
      const text = event.clipboardData?.getData('text/plain') ?? ''
      if (!looksLikeManifest(text)) return
      event.preventDefault()
      void this.receive([{ path: 'pasted.yaml', size: text.length, text: () => Promise.resolve(text) }])
    })
    return () => off.abort()
  }

  openFrom(input: HTMLInputElement) {
    const files = [...(input.files ?? [])].map(fromFile)
    input.value = ''
    return this.receive(files)
  }

  /** Files join the world that is open; a file of the same name gets a new one. */
  async receive(incoming: readonly Incoming[]) {
    try {
      const { files, refused, passedOver } = await take(incoming)
      if (files.length > 0) {
        const { document } = this.session
        const before = document.world
        let joined: readonly SourceText[] = before.files
        for (const file of files) joined = [...joined, { ...file, name: freeName(joined, file.name) }]
        const title = before.files.length === 0 ? titleOf(files) : before.title
        document.replace({ ...before, title, files: joined }, files.length === 1 ? `opening ${files[0]?.name ?? ''}` : `opening ${files.length} files`)
        document.active = joined[before.files.length]?.name ?? document.active
        this.desk.tab = 'editor'
      }
      const words = [...refused]
      if (passedOver > 0) words.push(`${passedOver} file${passedOver === 1 ? ' is' : 's are'} not YAML or JSON and ${passedOver === 1 ? 'was' : 'were'} passed over`)
      if (files.length > 0) words.unshift(files.length === 1 ? `Opened ${files[0]?.name ?? ''}` : `Opened ${files.length} files`)
      this.say(words.join('\n') || 'There was no file in what was dropped', refused.length > 0)
    } catch (error) {
      this.say(`That could not be read: ${error instanceof Error ? error.message : String(error)}`, true)
    }
  }

  example(example: Example) {
    this.#show({ title: example.title, files: example.files }, example.request && { ...example.request, method: 'GET' }, `opening the example ${example.title}`)
    this.say(`Opened ${example.title}. Undo brings back what was there.`)
  }

  newWorld() {
    this.#show(EMPTY, null, 'new world')
  }

  /** A world that was worked on before, here or in another tab. */
  async comeBack(kept: Kept) {
    const { document } = this.session
    try {
      await document.flush()
      const text = await this.worlds.take(kept.id)
      if (text === null) {
        this.say(`${kept.title} is not kept any more.`, true)
        return
      }
      const saved = decode(text)
      this.#look(saved.request)
      document.readable = saved.readable
      document.replace(worldOf(saved), `coming back to ${saved.title}`)
      document.active = saved.files[0]?.name ?? null
    } catch (error) {
      this.say(`${kept.title} cannot be opened: ${error instanceof Error ? error.message : String(error)}`, true)
    }
  }

  startFromNodes() {
    this.#show({ title: 'Three nodes', files: [{ name: 'cluster.yaml', text: THREE_NODES }] }, null, 'three nodes')
  }

  async share() {
    const { document, ask } = this.session
    const fragment = await toFragment({ ...document.world, request: ask.from && ask.to ? { ...ask } : null, readable: null })
    const url = `${location.origin}${location.pathname}${fragment}`
    history.replaceState(null, '', fragment)
    try {
      await navigator.clipboard.writeText(url)
      this.say('A link to this world is copied. It holds your files themselves; nothing was uploaded.')
    } catch {
      this.say('The link to this world is in the address bar: copy it from there.')
    }
  }

  async copyPath() {
    const text = this.session.result?.text
    if (!text) return
    try {
      await navigator.clipboard.writeText(text)
      this.say('The path is copied in words, as the command line prints it.')
    } catch {
      this.say('This browser does not let the page copy.')
    }
  }

  say(text: string, stays = false) {
    this.said = text
    clearTimeout(this.#quiet)
    if (!stays) this.#quiet = setTimeout(() => (this.said = null), 6000)
  }

  async #open() {
    const { document } = this.session
    if (await document.restore()) {
      if (document.request) this.session.ask = { ...document.request }
    }
    await this.#openLink()
    this.opened = true
  }

  async #openLink() {
    if (!isLink(location.hash)) return
    try {
      const saved = await fromFragment(location.hash)
      this.#show(worldOf(saved), saved.request, 'opening a link')
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error), true)
    }
    // The world is the document's from here on: editing must not leave an old one in the address bar.
    history.replaceState(null, '', location.pathname + location.search)
  }

  #show(world: World, request: SavedRequest | null, label: string) {
    const { document } = this.session
    this.#look(request)
    document.readable = null
    document.begin(world.files.length === 0 ? EMPTY : world, label)
    document.active = world.files[0]?.name ?? null
  }
  #look(request: SavedRequest | null) {
    const { session } = this
    session.clear()
    session.view.opened = []
    session.view.moved = false
    session.ask = request ? { ...request } : { from: '', to: '', method: 'GET' }
    session.document.request = request
  }
}

const titleOf = (files: readonly SourceText[]) => {
  const first = files[0]?.name ?? 'World'
  const slash = first.indexOf('/')
  return slash > 0 ? first.slice(0, slash) : first.replace(/\.(ya?ml|json)$/i, '')
}
