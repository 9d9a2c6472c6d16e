// The world's sources as a list of named texts: add, rename, remove, edit. Every function returns a new list.

export interface SourceText {
  readonly name: string
  readonly text: string
}

/** A line of the terminal that changed the network by hand. */
export interface TypedLine {
  readonly place: string
  readonly line: string
}

/** What a person works on: what is saved, shared and undone. */
export interface World {
  readonly title: string
  readonly files: readonly SourceText[]
  /** Typed on the world that the files make, in order. */
  readonly typed?: readonly TypedLine[]
}

/** The world alone, of something that holds more. */
export const worldOf = ({ title, files, typed }: World): World => (typed?.length ? { title, files, typed } : { title, files })

export const EMPTY: World = { title: 'New world', files: [] }

/** Why a name cannot be given to a file, or `null`. */
export function nameTrouble(files: readonly SourceText[], name: string, except?: string): string | null {
  const trimmed = name.trim()
  if (!trimmed) return 'a file needs a name'
  if (trimmed.length > 200) return 'a name has at most 200 characters'
  if (hasControl(trimmed)) return 'a name holds no control characters'
  if (trimmed !== except && files.some((file) => file.name === trimmed)) return `there is a file ${trimmed} already`
  return null
}

// eslint-disable-next-line no-control-regex -- this is the rule itself
const hasControl = (text: string) => /[\u0000-\u001f\u007f]/.test(text)

/** `name`, or `name-2`, `name-3`… before the ending, so that it is not taken. */
export function freeName(files: readonly SourceText[], name: string): string {
  const taken = new Set(files.map((file) => file.name))
  if (!taken.has(name)) return name
  const dot = name.lastIndexOf('.')
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, '']
  for (let n = 2; ; n++) {
    const candidate = `${stem}-${n}${ending}`
    if (!taken.has(candidate)) return candidate
  }
}

export const withFile = (world: World, file: SourceText): World => ({
  ...world,
  files: [...world.files, { ...file, name: freeName(world.files, file.name) }],
})

export const withoutFile = (world: World, name: string): World => ({ ...world, files: world.files.filter((file) => file.name !== name) })

export const withRenamed = (world: World, from: string, to: string): World => ({
  ...world,
  files: world.files.map((file) => (file.name === from ? { ...file, name: to.trim() } : file)),
})

export const withText = (world: World, name: string, text: string): World => ({
  ...world,
  files: world.files.map((file) => (file.name === name ? { ...file, text } : file)),
})

export const withTyped = (world: World, line: TypedLine): World => ({ ...world, typed: [...(world.typed ?? []), line] })

/** The one stretch that differs: what an editor must replace to get from `before` to `after`, selection and scroll kept. */
export function smallestChange(before: string, after: string): { from: number; to: number; insert: string } | null {
  if (before === after) return null
  let from = 0
  const shorter = Math.min(before.length, after.length)
  while (from < shorter && before.charCodeAt(from) === after.charCodeAt(from)) from++
  let tail = 0
  while (tail < shorter - from && before.charCodeAt(before.length - 1 - tail) === after.charCodeAt(after.length - 1 - tail)) tail++
  return { from, to: before.length - tail, insert: after.slice(from, after.length - tail) }
}
