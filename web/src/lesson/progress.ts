// How far a learner is, kept in this browser under one key with a format.
import { PARTS, type Part } from './model'

export const PROGRESS_FORMAT = 1
const KEY = 'hoplab.lessons'

export interface Progress {
  part: Part
  /** The option guessed; it stays beside the truth. */
  guess: number | null
  /** How many hints were asked for. */
  hints: number
  /** Options chosen in the quiz, or `true` where an answer was uncovered, by number of the question. */
  quiz: Record<string, number | true>
  /** All checks held once. */
  solved: boolean
}

export const START: Progress = { part: 'predict', guess: null, hints: 0, quiz: {}, solved: false }

/** The part of `Storage` that is used. */
export type Shelf = Pick<Storage, 'getItem' | 'setItem'>

/** The browser's shelf; where it is closed, one that lasts as long as the page. */
export function openShelf(): Shelf {
  try {
    localStorage.getItem(KEY)
    return localStorage
  } catch {
    const kept = new Map<string, string>()
    return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) }
  }
}

function readAll(shelf: Shelf): Record<string, unknown> {
  try {
    const value = JSON.parse(shelf.getItem(KEY) ?? 'null') as { format?: unknown; lessons?: unknown } | null
    if (value?.format === PROGRESS_FORMAT && typeof value.lessons === 'object' && value.lessons !== null) return value.lessons as Record<string, unknown>
  } catch {
    // Not readable: it starts from the beginning.
  }
  return {}
}

export function readProgress(shelf: Shelf, slug: string): Progress {
  const kept = readAll(shelf)[slug] as Partial<Progress> | undefined
  if (!kept) return START
  return {
    part: PARTS.includes(kept.part as Part) ? (kept.part as Part) : 'predict',
    guess: typeof kept.guess === 'number' ? kept.guess : null,
    hints: typeof kept.hints === 'number' ? kept.hints : 0,
    quiz: typeof kept.quiz === 'object' && kept.quiz !== null ? kept.quiz : {},
    solved: kept.solved === true,
  }
}

/** `false`: this browser keeps nothing. */
export function writeProgress(shelf: Shelf, slug: string, progress: Progress): boolean {
  try {
    shelf.setItem(KEY, JSON.stringify({ format: PROGRESS_FORMAT, lessons: { ...readAll(shelf), [slug]: progress } }))
    return true
  } catch {
    return false
  }
}

/** Whether the part can be gone to: nothing after the question before a guess. */
export const reachable = (progress: Progress, part: Part) => part === 'predict' || progress.guess !== null

export const partAfter = (part: Part) => PARTS[PARTS.indexOf(part) + 1] ?? null
export const partBefore = (part: Part) => PARTS[PARTS.indexOf(part) - 1] ?? null
