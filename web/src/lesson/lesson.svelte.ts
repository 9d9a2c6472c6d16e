// One lesson in the browser: where the learner is, the guess, the run after it, and the checks.
import { createContext } from 'svelte'
import { Document } from '../document/document.svelte'
import type { Keeper } from '../document/storage'
import { EngineStopped, Superseded, type CheckView } from '../engine/client'
import { Desk } from '../panels/desk.svelte'
import { Session } from '../player/session.svelte'
import type { LessonData, Part } from './model'
import { partAfter, partBefore, reachable, readProgress, START, writeProgress, type Progress, type Shelf } from './progress'

export class LessonRun {
  readonly session: Session
  readonly desk = new Desk(false)
  progress = $state.raw<Progress>(START)
  /** `null`: not judged yet. */
  checks = $state.raw<readonly CheckView[] | null>(null)
  /** The option marked but not locked in. */
  marked = $state<number | null>(null)

  readonly locked = $derived(this.progress.guess === null)
  readonly solved = $derived(this.checks !== null && this.checks.length > 0 && this.checks.every((check) => check.ok))

  constructor(readonly data: LessonData, private readonly shelf: Shelf, session?: Session) {
    this.session = session ?? new Session(new Document(keeperFor(data.slug, shelf)))
    this.progress = readProgress(shelf, data.slug)
    this.session.ask = { from: data.request.from, to: data.request.to, method: data.request.method ?? 'GET' }
    this.desk.tab = 'checks'
    void this.#open()
  }

  async #open() {
    const { document } = this.session
    if (!(await document.restore()) || document.world.files.length === 0) this.#fresh()
    if (!this.locked) await this.session.send()
  }
  #fresh() {
    this.session.document.replace({ title: this.data.title, files: this.data.files }, 'start of the lesson')
  }

  /** Locks the marked option and runs the request. */
  async guess() {
    if (this.marked === null || !this.locked) return
    this.#keep({ ...this.progress, guess: this.marked, part: 'run' })
    await this.session.send()
    await this.judge()
  }
  go(part: Part) {
    if (reachable(this.progress, part)) this.#keep({ ...this.progress, part })
  }
  next() {
    const part = partAfter(this.progress.part)
    if (part) this.go(part)
  }
  back() {
    const part = partBefore(this.progress.part)
    if (part) this.go(part)
  }
  hint() {
    this.#keep({ ...this.progress, hints: Math.min(this.data.hints.length, this.progress.hints + 1) })
  }
  answer(question: number, choice: number | true) {
    this.#keep({ ...this.progress, quiz: { ...this.progress.quiz, [question]: choice } })
  }
  /** A request of the text: sent at once, once the guess is made. */
  tryRequest(from: string, to: string) {
    if (this.locked) return
    this.session.ask = { from, to, method: 'GET' }
    void this.session.send()
  }
  /** A command of the text, run in the terminal. */
  tryCommand(at: string, line: string) {
    if (!this.locked) this.desk.runIn(at, line)
  }

  /** From the beginning, the files too; undo brings the files back. */
  restart() {
    this.#fresh()
    this.marked = null
    this.checks = null
    this.session.clear()
    this.#keep(START)
  }

  /** Lets the engine judge the world that is loaded. */
  async judge() {
    if (this.locked || !this.data.checks || !this.session.load?.fresh) return
    try {
      const report = await this.session.check([{ name: 'checks.yaml', text: this.data.checks }])
      this.checks = report.checks
      if (this.solved && !this.progress.solved) this.#keep({ ...this.progress, solved: true })
    } catch (error) {
      // A newer world is judged instead, or the engine's own message is shown.
      if (!(error instanceof Superseded) && !(error instanceof EngineStopped)) throw error
    }
  }

  #keep(progress: Progress) {
    this.progress = progress
    if (!writeProgress(this.shelf, this.data.slug, progress)) this.session.document.trouble = 'this browser keeps nothing between visits'
  }
}

const keeperFor = (slug: string, shelf: Shelf): Keeper => ({
  read: () => Promise.resolve(shelf.getItem(`hoplab.lesson.${slug}`)),
  write: async (text) => shelf.setItem(`hoplab.lesson.${slug}`, text),
})

export const [useLesson, provideLesson] = createContext<LessonRun>()
