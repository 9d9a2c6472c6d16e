// A lesson as the server gives it, beside the page that it has already written.
//
// The page is complete without script. It holds, in this order, `main.read > .prose` with `h1`, `ol.steps` and one
// `<section data-part="predict|run|see|explain">` for each part, and a `<section class="work" data-island="lesson"
// data-lesson="/lessons/SLUG.json">` with a figure of the world. Inside the parts three places are upgraded; what the
// server wrote into them is what a reader without script sees:
//
//   <div data-slot="question">  the question, its options as a list, the answer in <details>
//   <div data-slot="hints">     each hint in <details>
//   <div data-slot="quiz">      each question with its answer in <details>
//
// A line `<p class="try" data-from=… data-to=…>` or `data-at=… data-command=…` gets a button that does what it says.
import type { SourceText } from '../document/files'

/** Format of the JSON; grows when an older client would misread it. */
export const LESSON_FORMAT = 1

export interface Option {
  text: string
  correct: boolean
  /** Why it is right or wrong: shown after the guess. */
  why: string
}

export interface Question {
  question: string
  options: Option[]
}

/** With options it is chosen, without it is thought over and uncovered. */
export interface QuizItem {
  question: string
  options?: Option[]
  answer: string
}

export interface LessonData {
  format: number
  slug: string
  title: string
  /** The world that it starts from. */
  files: SourceText[]
  /** `checks.yaml`: Probe, Assert and Reject documents, judged by the engine in the browser. */
  checks: string
  predict: Question
  /** What is run after the guess. */
  request: { from: string; to: string; method?: string }
  /** From where to look, to which field, to the YAML. */
  hints: string[]
  quiz: QuizItem[]
}

export const PARTS = ['predict', 'run', 'see', 'explain'] as const
export type Part = (typeof PARTS)[number]
export const PART_NAMES: Record<Part, string> = { predict: 'Predict', run: 'Run', see: 'See', explain: 'Explain' }

/** Reads what the server gave; throws a sentence when it is not a lesson that this client knows. */
export function readLesson(value: unknown): LessonData {
  const lesson = value as Partial<LessonData> | null
  if (!lesson || typeof lesson.slug !== 'string' || !Array.isArray(lesson.files)) throw new Error('this is not a lesson')
  if ((lesson.format ?? 1) > LESSON_FORMAT) throw new Error('this lesson needs a newer page: reload')
  if (!lesson.predict || !Array.isArray(lesson.predict.options) || !lesson.request) throw new Error('this lesson has no question or no request')
  return {
    format: lesson.format ?? 1, slug: lesson.slug, title: lesson.title ?? lesson.slug, files: lesson.files, checks: lesson.checks ?? '',
    predict: lesson.predict, request: lesson.request, hints: lesson.hints ?? [], quiz: lesson.quiz ?? [],
  }
}
