// What a person sends when the engine stopped: what happened and on what, as plain text.
import type { World } from '../document/files'

export const faultReport = (fault: string, world: World, ask: { from: string; to: string; method: string }, browser: string) =>
  [
    'hoplab: the engine stopped',
    '',
    fault,
    '',
    `Browser: ${browser}`,
    `Request: ${ask.method} ${ask.to} from ${ask.from}`,
    '',
    ...world.files.flatMap((file) => [`--- ${file.name}`, file.text]),
  ].join('\n')
