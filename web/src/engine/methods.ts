// The engine's methods as the page calls them. The module takes the fields of values and gives text, which the page reads.
import type { Engine, SceneOptions, SourceFile } from './generated/hoplab_bindings.js'
import type { Arguments, Method } from './rpc'

const names = (files: SourceFile[]) => files.map((file) => file.name)
const texts = (files: SourceFile[]) => files.map((file) => file.text)
const fields = ({ density, width, height, keep }: SceneOptions) => [density, width, height, keep] as const

/** Each gives its result as JSON. */
export const methods: { [M in Method]: (engine: Pick<Engine, Method>, ...args: Arguments[M]) => string } = {
  load: (engine, sources, typed) => engine.load(
    names(sources),
    texts(sources),
    typed.map((one) => one.place),
    typed.map((one) => one.line),
  ),
  scene: (engine, options) => engine.scene(...fields(options)),
  place: (engine, id) => engine.place(id),
  send: (engine, { from, to, method, headers, seed, afterMs, scene }) =>
    engine.send(from, to, method, headers, seed, afterMs, ...fields(scene)),
  exec: (engine, place, line) => engine.exec(place, line),
  check: (engine, checks) => engine.check(names(checks), texts(checks)),
  svg: (engine, options) => engine.svg(...fields(options)),
}
