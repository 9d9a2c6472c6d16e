// The saved form of a world, in the browser's storage and in links. What is written today must still open later:
// tests/fixtures/ holds a file of each format that was ever written.
import type { SourceText, TypedLine, World } from './files'

/** Grows when a reader of the old form would misread the new one. */
export const FORMAT = 1

export interface SavedRequest {
  from: string
  to: string
  method: string
}

export interface Saved extends World {
  readonly request: SavedRequest | null
  /** The files as they were when they last made a world, where those above do not. */
  readonly readable: readonly SourceText[] | null
}

/** Why a saved world cannot be opened. */
export class Unreadable extends Error {}

export const encode = (saved: Saved): string =>
  JSON.stringify({ format: FORMAT, title: saved.title, files: saved.files, request: saved.request, ...(saved.typed?.length && { typed: saved.typed }), ...(saved.readable && { readable: saved.readable }) })

export function decode(text: string): Saved {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Unreadable('this saved world is not JSON')
  }
  const record = asRecord(value)
  if (!record || typeof record.format !== 'number') throw new Unreadable('this is not a saved world of hoplab')
  if (record.format > FORMAT) throw new Unreadable(`this world was saved by a newer hoplab (format ${record.format}; this one reads up to ${FORMAT})`)
  if (!Array.isArray(record.files)) throw new Unreadable('this saved world has no files')
  return {
    title: typeof record.title === 'string' ? record.title : 'World',
    files: record.files.map(asFile),
    ...(Array.isArray(record.typed) && { typed: record.typed.map(asTyped) }),
    request: asRequest(record.request),
    readable: Array.isArray(record.readable) ? record.readable.map(asFile) : null,
  }
}

const asRecord = (value: unknown) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null)

function asFile(value: unknown): SourceText {
  const record = asRecord(value)
  if (!record || typeof record.name !== 'string' || typeof record.text !== 'string') throw new Unreadable('a file of this saved world has no name or no text')
  return { name: record.name, text: record.text }
}

function asTyped(value: unknown): TypedLine {
  const record = asRecord(value)
  if (!record || typeof record.place !== 'string' || typeof record.line !== 'string') throw new Unreadable('a typed line of this saved world has no place or no text')
  return { place: record.place, line: record.line }
}

function asRequest(value: unknown): SavedRequest | null {
  const record = asRecord(value)
  if (!record || typeof record.from !== 'string' || typeof record.to !== 'string') return null
  return { from: record.from, to: record.to, method: typeof record.method === 'string' ? record.method : 'GET' }
}
