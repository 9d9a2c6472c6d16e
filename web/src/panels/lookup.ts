// A look-up as a ladder: one rung for each name that was tried, with the questions that were asked for it.
import type { CachedView, LookUpView, QuestionView, Timeline } from '../engine/client'

export interface Rung {
  name: string
  questions: QuestionView[]
  /** The name that was found: where the ladder ends well. */
  found: boolean
}

/** Consecutive questions for one name make a rung. */
export function rungs(lookup: LookUpView): Rung[] {
  const out: Rung[] = []
  for (const question of lookup.questions) {
    let last = out.at(-1)
    if (last?.name !== question.name) out.push((last = { name: question.name, questions: [], found: false }))
    last.questions.push(question)
    last.found ||= question.found
  }
  return out
}

/** `8 queries, 4 names, 3.2 ms`. */
export function cost(lookup: LookUpView): string {
  const counted = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`
  return `${counted(lookup.questions.length, 'query', 'queries')}, ${counted(rungs(lookup).length, 'name', 'names')}, ${millis(lookup.micros)}`
}

export const millis = (micros: number) => `${(micros / 1000).toFixed(micros < 10_000 ? 1 : 0)} ms`

/** What a screen reader says of a question. */
export function spoken(question: QuestionView): string {
  const cached = question.cache === 'hit' ? ', from its cache' : question.cache === 'stale' ? ', from its cache, expired' : question.cache === 'miss' ? ', not in its cache' : ''
  const took = question.micros === undefined ? '' : `, ${millis(question.micros)}`
  return `${question.record}: ${question.answer}, by ${question.by ?? question.server}${cached}${took}`
}

/** The stop where a question's packet starts. */
export function stopOf(timeline: Timeline | null, question: QuestionView): number | null {
  const label = `query ${question.record} ${question.name.replace(/\.$/, '')}.`
  const same = timeline?.legs.filter((leg) => leg.label.toLowerCase() === label.toLowerCase()) ?? []
  const leg = same.find((leg) => leg.micros >= question.sent) ?? same[0]
  return leg ? leg.first : null
}

/** Whole seconds that an answer is still good for, some time after it was told. */
export const left = (entry: CachedView, elapsedMs: number) => Math.max(0, entry.leftSeconds - Math.floor(elapsedMs / 1000))
