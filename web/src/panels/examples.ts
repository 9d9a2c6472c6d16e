// The gallery: worlds that the server keeps, as JSON.
import type { SourceText } from '../document/files'

export interface Example {
  id: string
  title: string
  summary: string
  files: SourceText[]
  /** A request worth sending first. */
  request: { from: string; to: string } | null
}

export async function fetchExamples(get: (url: string) => Promise<Response> = fetch): Promise<Example[]> {
  const response = await get('/examples.json')
  if (!response.ok) throw new Error(`the examples could not be fetched (${response.status})`)
  const value: unknown = await response.json()
  if (!Array.isArray(value)) throw new Error('the examples are not a list')
  return value.filter(isExample).map((example) => ({ ...example, request: example.request ?? null }))
}

function isExample(value: unknown): value is Example {
  const example = value as Partial<Example> | null
  return typeof example?.id === 'string' && typeof example.title === 'string' && Array.isArray(example.files)
    && example.files.every((file) => typeof file.name === 'string' && typeof file.text === 'string')
}
