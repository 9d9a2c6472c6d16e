import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readLesson } from '../src/lesson/model'
import { partAfter, partBefore, reachable, readProgress, START, writeProgress } from '../src/lesson/progress'
import { checkName } from '../src/lesson/words'

const shelf = (start: Record<string, string> = {}) => {
  const kept = { ...start }
  return { kept, getItem: (key: string) => kept[key] ?? null, setItem: (key: string, value: string) => void (kept[key] = value) }
}

describe('progress', () => {
  it('comes back at the next visit, each lesson by itself', () => {
    const own = shelf()
    const progress = { ...START, part: 'see' as const, guess: 1, hints: 2, quiz: { 0: true as const, 1: 0 } }
    expect(writeProgress(own, 'a', progress)).toBe(true)
    writeProgress(own, 'b', { ...START, solved: true })
    expect(readProgress(own, 'a')).toEqual(progress)
    expect(readProgress(own, 'b').solved).toBe(true)
    expect(readProgress(own, 'c')).toEqual(START)
  })
  it('still reads what format 1 wrote', () => {
    const own = shelf({ 'hoplab.lessons': readFileSync(new URL('./fixtures/progress-format-1.json', import.meta.url), 'utf8') })
    expect(readProgress(own, 'svc-lab-discovery')).toEqual({ part: 'see', guess: 2, hints: 1, quiz: { 0: true }, solved: false })
  })
  it.each(['rubbish', 'null', '{"format":9,"lessons":{"a":{"guess":1}}}', '{"format":1,"lessons":{"a":{"part":"x","guess":"1"}}}'])('starts anew over %j', (kept) => {
    expect(readProgress(shelf({ 'hoplab.lessons': kept }), 'a')).toEqual(START)
  })
  it('says when nothing can be kept', () => {
    expect(writeProgress({ getItem: () => null, setItem: () => { throw new Error('full') } }, 'a', START)).toBe(false)
  })
  it('opens nothing behind the question before a guess', () => {
    expect(reachable(START, 'predict')).toBe(true)
    expect(reachable(START, 'run')).toBe(false)
    expect(reachable({ ...START, guess: 0 }, 'explain')).toBe(true)
    expect(partAfter('explain')).toBeNull()
    expect(partBefore('run')).toBe('predict')
  })
})

describe('lesson', () => {
  it('reads what the server gives, and refuses what it does not know', () => {
    const lesson = readLesson(JSON.parse(readFileSync(new URL('../dev/lesson.json', import.meta.url), 'utf8')))
    expect(lesson.predict.options).toHaveLength(3)
    expect(() => readLesson({ ...lesson, format: 2 })).toThrow('newer')
    expect(() => readLesson({ ...lesson, predict: undefined })).toThrow('question')
    expect(() => readLesson(null)).toThrow('not a lesson')
  })
  it('reads a check by its name', () => {
    expect(checkName('client-reaches-web')).toBe('client reaches web')
    expect(checkName('web is of type ClusterIP')).toBe('web is of type ClusterIP')
  })
})
