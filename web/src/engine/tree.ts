// The tree of a scene as the engine sends it, which only names what is as before, and what the page reads of it.
import type { TreeItem } from './generated/hoplab_bindings.js'

/** The rows with those that are the same put in from the tree before. */
export function whole(rows: TreeItem[], before: readonly TreeItem[]): TreeItem[] {
  let known: Map<string, TreeItem> | undefined
  const old = (id: string) => (known ??= new Map(before.map((row) => [row.id, row]))).get(id)
  return rows.map((row, i) => {
    const was = before[i]?.id === row.id ? before[i] : old(row.id)
    if (!row.same) return { ...row, children: whole(row.children, was?.children ?? []) }
    if (!was) throw new Error(`the engine takes ${row.id} to be known, and it is not`)
    return was
  })
}

/** A place to choose by name. */
export interface Endpoint {
  /** As the request takes it: `shop/client`, `http://cart.shop/`. */
  value: string
  /** `client`, `cart`. */
  label: string
  /** `pod in worker-1, 10.244.1.2`, `service in namespace shop, 10.96.118.52`. */
  detail: string
  /** Shape on the drawing. */
  shape: string | undefined
}

/** Where requests can start and go. */
export interface Ends {
  /** Every pod and node, and what is outside. */
  sources: Endpoint[]
  /** Every Service port, pod port, and what is outside. */
  targets: Endpoint[]
}

/** Everything in the tree that says it is an end, each once, in its order. */
export function endsOf(tree: readonly TreeItem[]): Ends {
  const sources = new Map<string, Endpoint>()
  const targets = new Map<string, Endpoint>()
  const collect = (item: TreeItem, above: TreeItem | null) => {
    const place = above ? ` in ${above.label}` : ''
    const detail = `${item.kind}${place}${item.value && `, ${item.value}`}`
    const end = (value: string) => ({ value, label: item.label, detail, shape: item.shape })
    if (item.source !== undefined && !sources.has(item.source)) sources.set(item.source, end(item.source))
    for (const target of item.targets) if (!targets.has(target)) targets.set(target, end(target))
    for (const child of item.children) collect(child, item)
  }
  for (const item of tree) collect(item, null)
  return { sources: [...sources.values()], targets: [...targets.values()] }
}
