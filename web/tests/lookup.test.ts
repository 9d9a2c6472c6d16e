// The ladder of a look-up: rungs, cost, words, and the stop that a question leads to.
import { describe, expect, test } from 'vitest'
import type { LookUpView, QuestionView, Timeline } from '../src/engine/client'
import { cost, left, rungs, spoken, stopOf } from '../src/panels/lookup'

const asked = (name: string, record: string, more: Partial<QuestionView> = {}): QuestionView => ({ name, record, server: '10.96.0.10', rcode: 'NXDOMAIN', answer: 'NXDOMAIN', found: false, by: 'pod kube-system/coredns-a', place: 'pod:kube-system/coredns-a', cache: 'miss', sent: 10, micros: 1200, ...more })

const lookup: LookUpView = {
  asked: 'api.example.com',
  sentences: [],
  micros: 4321,
  questions: [
    asked('api.example.com.svc', 'A'),
    asked('api.example.com.svc', 'AAAA', { rcode: undefined, answer: 'no answer', micros: undefined, by: undefined, cache: '' }),
    asked('api.example.com', 'A', { rcode: 'NOERROR', answer: '203.0.113.50', found: true, cache: 'hit', sent: 2000 }),
  ],
}

describe('a look-up', () => {
  test('has a rung for each name, and says which was found', () => {
    expect(rungs(lookup).map(({ name, questions, found }) => [name, questions.length, found])).toEqual([
      ['api.example.com.svc', 2, false],
      ['api.example.com', 1, true],
    ])
    expect(cost(lookup)).toBe('3 queries, 2 names, 4.3 ms')
  })

  test('is spoken with who answered and whether from a cache', () => {
    expect(lookup.questions.map(spoken)).toEqual([
      'A: NXDOMAIN, by pod kube-system/coredns-a, not in its cache, 1.2 ms',
      'AAAA: no answer, by 10.96.0.10',
      'A: 203.0.113.50, by pod kube-system/coredns-a, from its cache, 1.2 ms',
    ])
  })

  test('leads to the stop where the packet of the question starts', () => {
    const leg = (label: string, micros: number, first: number) => ({ label, kind: 'side' as const, flag: 'query', protocol: 'udp', first, end: first + 3, micros, endState: 'delivered' })
    const timeline: Timeline = { legs: [leg('query A api.example.com.', 5, 0), leg('query A api.example.com.', 2000, 3)], stops: [], interesting: 0 }
    expect(stopOf(timeline, lookup.questions[2] as QuestionView)).toBe(3)
    expect(stopOf(timeline, lookup.questions[0] as QuestionView)).toBeNull()
    expect(stopOf(null, lookup.questions[0] as QuestionView)).toBeNull()
  })

  test('of a cache counts down, and not below nothing', () => {
    const entry = { name: 'web.', record: 'A', answer: '10.96.7.7', leftSeconds: 5 }
    expect([0, 999, 1000, 4999, 9000].map((ms) => left(entry, ms))).toEqual([5, 5, 4, 1, 0])
  })
})
