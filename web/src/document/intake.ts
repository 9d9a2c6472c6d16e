// Files from outside: dropped, opened or pasted. Sizes are looked at before anything is read.
import type { SourceText } from './files'

export const FILE_LIMIT = 8_000_000
export const TOTAL_LIMIT = 16_000_000
const COUNT_LIMIT = 500

/** The part of `File` that is used, with its path inside the folder that was dropped. */
export interface Incoming {
  path: string
  size: number
  text(): Promise<string>
}

export interface Intake {
  files: SourceText[]
  /** One sentence for each file that was left out, and why. */
  refused: string[]
  /** Files passed over because their ending is not that of manifests. */
  passedOver: number
}

const MANIFEST = /\.(ya?ml|json)$/i

export const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`

/** Of a single file any ending is taken; of several, those of manifests. */
export async function take(incoming: readonly Incoming[]): Promise<Intake> {
  const chosen = incoming.length === 1 ? incoming : incoming.filter((file) => MANIFEST.test(file.path))
  const intake: Intake = { files: [], refused: [], passedOver: incoming.length - chosen.length }
  let total = 0
  for (const file of [...chosen].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))) {
    if (file.size > FILE_LIMIT) {
      intake.refused.push(`${file.path} was not opened: it has ${megabytes(file.size)}, a file may have ${megabytes(FILE_LIMIT)}`)
    } else if (total + file.size > TOTAL_LIMIT) {
      intake.refused.push(`${file.path} was not opened: a world may have ${megabytes(TOTAL_LIMIT)} in all`)
    } else if (intake.files.length >= COUNT_LIMIT) {
      intake.refused.push(`${file.path} was not opened: a world may have ${COUNT_LIMIT} files`)
    } else {
      total += file.size
      intake.files.push({ name: file.path, text: await file.text() })
    }
  }
  return intake
}

/** Whether a pasted text looks like manifests, so that pasting it anywhere on the page opens it. */
export const looksLikeManifest = (text: string) => /^[\s{]*["']?(apiVersion|kind)["']?\s*:/m.test(text)

/** Everything in a drop, folders walked. Must be called before the drop event ends. */
export function incomingOf(items: DataTransferItemList, files: FileList): Promise<Incoming[]> {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined)
  if (entries.length === 0) return Promise.resolve([...files].map(fromFile))
  return Promise.all(entries.map((entry) => walk(entry, ''))).then((lists) => lists.flat())
}

export const fromFile = (file: File): Incoming => ({ path: file.webkitRelativePath || file.name, size: file.size, text: () => file.text() })

async function walk(entry: FileSystemEntry, prefix: string): Promise<Incoming[]> {
  const path = prefix + entry.name
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))
    return [{ path, size: file.size, text: () => file.text() }]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: FileSystemEntry[] = []
  for (;;) {
    // readEntries gives at most 100 at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) break
    found.push(...some)
  }
  return (await Promise.all(found.map((child) => walk(child, `${path}/`)))).flat()
}
