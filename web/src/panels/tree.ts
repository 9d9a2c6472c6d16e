// The tree beside the drawing as a flat list of visible rows, and how keys move in it.
import type { TreeItem } from '../engine/client'
import type { IconName } from '../theme/icons'

export interface TreeRow {
  item: TreeItem
  level: number
  position: number
  siblings: number
  parent: TreeRow | null
  open: boolean
}

/** System namespaces are closed until asked for. */
export const closedAtFirst = (item: TreeItem) => item.kind === 'namespace' && /^kube-/.test(item.label)

export function rowsOf(items: readonly TreeItem[], open: (item: TreeItem) => boolean, level = 1, parent: TreeRow | null = null): TreeRow[] {
  return items.flatMap((item, i) => {
    const row: TreeRow = { item, level, position: i + 1, siblings: items.length, parent, open: item.children.length > 0 && open(item) }
    return row.open ? [row, ...rowsOf(item.children, open, level + 1, row)] : [row]
  })
}

/** What a key does: go to a row, or open or close the current one. */
export function stepInTree(rows: readonly TreeRow[], at: TreeRow, key: string): { row?: TreeRow | undefined; toggle?: boolean } | null {
  const i = rows.findIndex((row) => row.item.id === at.item.id)
  switch (key) {
    case 'ArrowDown':
      return { row: rows[i + 1] }
    case 'ArrowUp':
      return { row: rows[i - 1] }
    case 'Home':
      return { row: rows[0] }
    case 'End':
      return { row: rows.at(-1) }
    case 'ArrowRight':
      return at.item.children.length === 0 ? {} : at.open ? { row: rows[i + 1] } : { toggle: true }
    case 'ArrowLeft':
      return at.open ? { toggle: true } : { row: at.parent ?? undefined }
    default:
      return null
  }
}

const ICON: Record<string, IconName> = { cluster: 'node', node: 'node', pod: 'pod', namespace: 'namespace', service: 'service', interface: 'interface', outside: 'outside', workload: 'workload' }
export const iconOf = (kind: string): IconName => ICON[kind] ?? 'file'
