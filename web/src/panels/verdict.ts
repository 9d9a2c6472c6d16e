// The outcome of a request as one short mark: a word, its hue, and what answered.
import type { SendResult } from '../engine/client'
import type { IconName } from '../theme/icons'

export interface VerdictMark {
  text: string
  kind: 'ok' | 'deny' | 'warn' | 'unknown'
}

/** The second sign beside the hue. */
export const VERDICT_ICONS: Record<VerdictMark['kind'], IconName> = { ok: 'tick', deny: 'cross', warn: 'warn', unknown: 'help' }

/** Outcomes in the words that are never swapped. */
const WORDS: Record<string, string> = { dropped: 'dropped', refused: 'refused', unreachable: 'unreachable', unresolved: 'unresolved', looped: 'looped', reset: 'reset', stalled: 'stalled', rejected: 'rejected' }

export function verdictOf(result: Pick<SendResult, 'outcome' | 'verdict' | 'status' | 'unknowns'>): VerdictMark {
  const { outcome, status } = result
  if (outcome === 'unknown') return { text: 'not decided', kind: 'unknown' }
  if (outcome === 'delivered') {
    const text = `delivered${status === undefined ? '' : `, ${status}`}`
    if (result.verdict === 'unknown' || result.unknowns.length > 0) return { text: `${text}, with unknowns`, kind: 'unknown' }
    return { text, kind: status !== undefined && status >= 400 ? 'warn' : 'ok' }
  }
  return { text: `${WORDS[outcome] ?? outcome}`, kind: 'deny' }
}

/** `1 in 3`, or a percentage where that is no simple part. */
export function shareText(share: number): string {
  const parts = 1 / share
  return share > 0 && Math.abs(parts - Math.round(parts)) < 0.02 * parts ? `1 in ${Math.round(parts)}` : `${Math.round(share * 1000) / 10} %`
}
