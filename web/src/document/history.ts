// The one undo history: a stack of whole worlds. Texts are shared between revisions, so a revision costs what changed.
import type { World } from './files'

/** Edits of the same kind that follow each other within this time are undone together. */
export const TOGETHER_MS = 700
const KEPT = 500

export interface Revision {
  readonly world: World
  /** What the step to this world was, for the labels of undo and redo: `edit of shop.yaml`. */
  readonly label: string
}

export interface History {
  readonly past: readonly Revision[]
  readonly now: Revision
  readonly future: readonly Revision[]
  /** Kind and time of the last change, so that typing makes one step and not one a letter. */
  readonly last: { readonly key: string; readonly at: number } | null
}

export const begin = (world: World): History => ({ past: [], now: { world, label: '' }, future: [], last: null })

/** `key`: changes with the same key within `TOGETHER_MS` become one step. `null` never joins. */
export function change(history: History, world: World, label: string, key: string | null, at: number): History {
  if (world === history.now.world) return history
  const last = key === null ? null : { key, at }
  if (key !== null && history.last?.key === key && at - history.last.at < TOGETHER_MS && history.past.length > 0) {
    return { ...history, now: { world, label }, future: [], last }
  }
  return { past: [...history.past, history.now].slice(-KEPT), now: { world, label }, future: [], last }
}

export function undo(history: History): History {
  const before = history.past.at(-1)
  if (!before) return history
  return { past: history.past.slice(0, -1), now: before, future: [history.now, ...history.future], last: null }
}

export function redo(history: History): History {
  const [next, ...future] = history.future
  if (!next) return history
  return { past: [...history.past, history.now], now: next, future, last: null }
}
