// Entry of a lesson's page: upgrades what the server wrote. The prose is complete before this runs.
import { mount } from 'svelte'
import Foot from '../lesson/Foot.svelte'
import Hints from '../lesson/Hints.svelte'
import { LessonRun } from '../lesson/lesson.svelte'
import { PARTS, readLesson } from '../lesson/model'
import { openShelf, reachable } from '../lesson/progress'
import Quiz from '../lesson/Quiz.svelte'
import Question from '../lesson/Question.svelte'
import Work from '../lesson/Work.svelte'
import { restoreTheme } from '../theme/theme'
import '../theme/lesson.css'
import { watchParts } from './parts.svelte'

restoreTheme()

async function start(island: HTMLElement, url: string) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`the lesson could not be fetched (${response.status})`)
  const lesson = new LessonRun(readLesson(await response.json()), openShelf())

  const slot = (name: string) => {
    const found = document.querySelector<HTMLElement>(`[data-slot="${name}"]`)
    found?.replaceChildren()
    return found
  }
  const [question, hints, quiz] = [slot('question'), slot('hints'), slot('quiz')]
  if (question) mount(Question, { target: question, props: { lesson } })
  if (hints) mount(Hints, { target: hints, props: { lesson } })
  if (quiz) mount(Quiz, { target: quiz, props: { lesson } })
  const read = document.querySelector<HTMLElement>('.read')
  if (read) mount(Foot, { target: read, props: { lesson } })
  upgradeTries(lesson)
  const figure = island.querySelector<HTMLElement>('figure')
  island.replaceChildren()
  mount(Work, { target: island, props: { lesson, figure } })

  const parts = PARTS.map((part) => document.querySelector<HTMLElement>(`[data-part="${part}"]`))
  const steps = [...document.querySelectorAll<HTMLElement>('.steps > li')]
  watchParts(lesson, (current) => {
    PARTS.forEach((part, i) => {
      const [section, step] = [parts[i], steps[i]]
      if (section) section.hidden = part !== current
      step?.toggleAttribute('data-reachable', reachable(lesson.progress, part))
      if (part === current) step?.setAttribute('aria-current', 'step')
      else step?.removeAttribute('aria-current')
    })
    // The guess stays beside the truth: the question goes along to the run.
    const beside = current === 'run' ? parts[1] : parts[0]
    if (question && beside && !beside.contains(question)) beside.append(question)
    document.querySelector('.prose')?.scrollTo({ top: 0 })
  })
  steps.forEach((step, i) => step.addEventListener('click', (event) => {
    const part = PARTS[i]
    if (!part) return
    event.preventDefault()
    lesson.go(part)
  }))
}

/** What the text proposes to try gets a button that does it. */
function upgradeTries(lesson: LessonRun) {
  for (const line of document.querySelectorAll<HTMLElement>('.try')) {
    const { from, to, at, command } = line.dataset
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'btn'
    if (from !== undefined && to !== undefined) {
      button.textContent = 'Send it'
      button.addEventListener('click', () => lesson.tryRequest(from, to))
    } else if (at !== undefined && command !== undefined) {
      button.textContent = 'Run it'
      button.addEventListener('click', () => lesson.tryCommand(at, command))
    } else continue
    line.append(' ', button)
  }
}

const island = document.querySelector<HTMLElement>('[data-island="lesson"]')
const url = island?.dataset.lesson
if (island && url) {
  start(island, url).catch((error: unknown) => {
    const note = document.createElement('p')
    note.setAttribute('role', 'alert')
    note.textContent = `${error instanceof Error ? error.message : String(error)}. The text can be read all the same.`
    island.prepend(note)
  })
}
