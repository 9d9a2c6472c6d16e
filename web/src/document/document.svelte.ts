// The document: the world's sources, its revision and its one undo history, kept between visits.
import { begin, change, redo, undo, type History } from './history'
import { EMPTY, worldOf, withFile, withoutFile, withRenamed, withText, withTyped, type SourceText, type TypedLine, type World } from './files'
import { decode, encode, type SavedRequest } from './saved'
import type { Keeper } from './storage'

const SAVE_AFTER_MS = 250

export class Document {
  #history = $state.raw<History>(begin(EMPTY))
  /** The file shown in the editor. */
  active = $state<string | null>(null)
  /** Grows with every change of any text or name. */
  revision = $state(0)
  /** Why nothing is kept between visits, if so. */
  trouble = $state<string | null>(null)
  /** The request last sent, kept with the world. */
  request: SavedRequest | null = null
  /** The files of the last world that could be made: what is drawn while the newest texts have errors. */
  readable: readonly SourceText[] | null = null

  #timer: ReturnType<typeof setTimeout> | undefined
  #unsaved = false

  constructor(private readonly keeper: Keeper | null = null) {}

  get world(): World {
    return this.#history.now.world
  }
  get canUndo() {
    return this.#history.past.length > 0
  }
  get canRedo() {
    return this.#history.future.length > 0
  }
  get undoLabel() {
    return this.#history.now.label
  }
  get activeFile(): SourceText | null {
    return this.world.files.find((file) => file.name === this.active) ?? this.world.files[0] ?? null
  }

  /** What was kept at the last visit, if it can be read. */
  async restore(): Promise<boolean> {
    if (!this.keeper) return false
    try {
      const text = await this.keeper.read()
      if (text === null) return false
      const saved = decode(text)
      this.#history = begin(worldOf(saved))
      this.request = saved.request
      this.readable = saved.readable
      this.#shown()
      return true
    } catch (error) {
      this.trouble = error instanceof Error ? error.message : String(error)
      // What cannot be read is left as it is.
      this.keeper.leave?.()
      return false
    }
  }

  /** These files made a world. */
  read(files: readonly SourceText[]) {
    this.readable = files
    this.save()
  }

  edit(name: string, text: string) {
    this.#change(withText(this.world, name, text), `edit of ${name}`, `edit ${name}`)
  }
  type(line: TypedLine) {
    this.#change(withTyped(this.world, line), line.line, null)
  }
  add(file: SourceText) {
    this.#change(withFile(this.world, file), `new file ${file.name}`, null)
    this.active = this.world.files.at(-1)?.name ?? null
  }
  rename(from: string, to: string) {
    this.#change(withRenamed(this.world, from, to), `rename of ${from}`, null)
    if (this.active === from) this.active = to.trim()
  }
  remove(name: string) {
    this.#change(withoutFile(this.world, name), `removal of ${name}`, null)
  }
  /** A whole other world in place of this one; undo brings this one back. */
  replace(world: World, label: string) {
    this.#change(world, label, null)
  }
  /** The same, as a world of its own: the one before is kept for later visits, too. */
  begin(world: World, label: string) {
    void this.flush()
    this.keeper?.leave?.()
    this.replace(world, label)
  }
  undo() {
    this.#history = undo(this.#history)
    this.#shown()
    this.save()
  }
  redo() {
    this.#history = redo(this.#history)
    this.#shown()
    this.save()
  }

  /** Keeps the world soon; `flush` keeps it now. */
  save() {
    this.#unsaved = true
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.flush(), SAVE_AFTER_MS)
  }
  async flush() {
    clearTimeout(this.#timer)
    if (!this.keeper || !this.#unsaved) return
    this.#unsaved = false
    try {
      const readable = this.readable === this.world.files ? null : this.readable
      await this.keeper.write(encode({ ...this.world, request: this.request, readable }), { title: this.world.title, files: this.world.files.length })
      this.trouble = null
    } catch {
      this.trouble = 'this browser keeps nothing between visits: share or copy your files before you leave'
    }
  }

  #change(world: World, label: string, key: string | null) {
    this.#history = change(this.#history, world, label, key, Date.now())
    this.#shown()
    this.save()
  }
  #shown() {
    this.revision++
    if (!this.world.files.some((file) => file.name === this.active)) this.active = this.world.files[0]?.name ?? null
  }
}
