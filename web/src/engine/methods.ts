// The engine's methods as the page calls them. The module takes and gives text, and the page reads what it gives.
import type { Engine, SourceFile } from './generated/hoplab_bindings.js'
import type { Arguments, Method } from './rpc'

const json = JSON.stringify
const names = (files: SourceFile[]) => files.map((file) => file.name)
const texts = (files: SourceFile[]) => files.map((file) => file.text)

/** Each gives its result as JSON. */
export const methods: { [M in Method]: (engine: Pick<Engine, Method>, ...args: Arguments[M]) => string } = {
  load: (engine, sources, typed) => engine.load(names(sources), texts(sources), json(typed)),
  scene: (engine, options) => engine.scene(json(options)),
  place: (engine, id) => engine.place(id),
  send: (engine, request) => engine.send(json(request)),
  exec: (engine, place, line) => engine.exec(place, line),
  check: (engine, checks) => engine.check(names(checks), texts(checks)),
  svg: (engine, options) => engine.svg(json(options)),
}
