// What is open on the desk: the drawer's tab, the phone's tab, dialogs, sizes of panels, and the place to show in the editor.
import { createContext } from 'svelte'
import type { Place } from '../engine/client'

export type DrawerTab = 'editor' | 'problems' | 'terminal' | 'checks' | 'path' | 'hop' | 'world'
export type PhoneTab = 'hop' | 'path' | 'yaml' | 'terminal' | 'world'
export type DialogName = 'help' | 'finder' | 'examples' | null

/** Panels whose size is kept between visits, with what they start from and their limits. */
export const PANELS = {
  left: { start: 212, least: 160, most: 420 },
  right: { start: 352, least: 280, most: 560 },
  path: { start: 319, least: 120, most: 620 },
  drawer: { start: 196, least: 90, most: 620 },
} as const
export type PanelName = keyof typeof PANELS

const KEY = 'hoplab.desk'

export class Desk {
  tab = $state<DrawerTab>('editor')
  phone = $state<PhoneTab>('hop')
  dialog = $state<DialogName>(null)
  /** The tree slides over the drawing where there is no room beside it. */
  treeOpen = $state(false)
  /** The drawer is closed to its tabs. */
  drawerOpen = $state(true)
  sizes = $state<Record<PanelName, number>>({ left: PANELS.left.start, right: PANELS.right.start, path: PANELS.path.start, drawer: PANELS.drawer.start })
  /** Shortcuts of one letter act. */
  letters = $state(true)
  /** The place asked for; a new object each time, so that asking twice works. */
  wanted = $state.raw<{ file: string; line: number } | null>(null)
  /** A command to run in the terminal as if it were typed. */
  wantedLine = $state.raw<{ at: string; line: string } | null>(null)
  /** Where the terminal's commands run. */
  terminalAt = $state<string | null>(null)

  constructor(narrow: boolean) {
    this.drawerOpen = !narrow
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as { sizes?: Partial<Record<PanelName, number>>; letters?: boolean }
      for (const name of Object.keys(PANELS) as PanelName[]) {
        const size = kept.sizes?.[name]
        if (typeof size === 'number' && Number.isFinite(size)) this.sizes[name] = clamp(name, size)
      }
      if (kept.letters === false) this.letters = false
    } catch {
      // Nothing kept, or nothing readable: the sizes that it starts from.
    }
  }

  resize(name: PanelName, size: number) {
    this.sizes[name] = clamp(name, size)
    this.keep()
  }
  keep() {
    try {
      localStorage.setItem(KEY, JSON.stringify({ sizes: this.sizes, letters: this.letters }))
    } catch {
      // The sizes hold for this visit.
    }
  }
  /** Shows a line of a source in the editor. */
  jump(place: Pick<Place, 'file' | 'line'>) {
    if (place.file === undefined) return
    this.tab = 'editor'
    this.phone = 'yaml'
    this.drawerOpen = true
    this.wanted = { file: place.file, line: place.line ?? 1 }
  }
  /** Shows the terminal and runs a line there. */
  runIn(at: string, line: string) {
    this.openTerminal(at)
    this.wantedLine = { at, line }
  }
  openTerminal(at: string | null) {
    if (at !== null) this.terminalAt = at
    this.tab = 'terminal'
    this.phone = 'terminal'
    this.drawerOpen = true
    setTimeout(() => document.getElementById('terminal-line')?.focus(), 0)
  }
}

const clamp = (name: PanelName, size: number) => Math.max(PANELS[name].least, Math.min(PANELS[name].most, Math.round(size)))

export const [useDesk, provideDesk] = createContext<Desk>()
