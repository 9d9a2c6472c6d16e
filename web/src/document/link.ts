// A whole world in a link's fragment: saved form, deflated, base64url. The fragment is never sent to a server.
import { decode, encode, Unreadable, type Saved } from './saved'

/** `#w1=…`: 1 is the format of the packing, the saved form inside has its own. */
const PREFIX = '#w1='
/** Inflated size at which a link is refused: a small link must not fill the memory. */
const LIMIT = 20_000_000

export const isLink = (fragment: string) => /^#w\d+=/.test(fragment)

export async function toFragment(saved: Saved): Promise<string> {
  const packed = await through(new TextEncoder().encode(encode(saved)), new CompressionStream('deflate-raw'), Infinity)
  return PREFIX + toBase64Url(packed)
}

export async function fromFragment(fragment: string): Promise<Saved> {
  if (!fragment.startsWith(PREFIX)) throw new Unreadable('this link was made by a newer hoplab')
  try {
    const bytes = fromBase64Url(fragment.slice(PREFIX.length))
    return decode(new TextDecoder().decode(await through(bytes, new DecompressionStream('deflate-raw'), LIMIT)))
  } catch (error) {
    if (error instanceof Unreadable) throw error
    throw new Unreadable('this link is damaged: part of it is missing or changed')
  }
}

async function through(bytes: Uint8Array<ArrayBuffer>, transform: CompressionStream | DecompressionStream, limit: number) {
  const stream = new Blob([bytes]).stream().pipeThrough(transform)
  const parts: Uint8Array[] = []
  let length = 0
  const reader = (stream as ReadableStream<Uint8Array>).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > limit) {
      await reader.cancel()
      throw new Unreadable('this link holds more than 20 MB')
    }
    parts.push(value)
  }
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function toBase64Url(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000))
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

const fromBase64Url = (text: string) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0))
