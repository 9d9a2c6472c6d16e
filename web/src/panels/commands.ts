// Every act of a person is a record here; menus, shortcuts, help and the finder look it up.

export interface Command {
  id: string
  label: string
  group: 'Request' | 'Player' | 'Drawing' | 'Document' | 'Help'
  /** As shown and matched: `R`, `Ctrl+K`, `Shift+1`, `.`. */
  keys: readonly string[]
  when?: () => boolean
  run: () => void
}

/** The part of a `KeyboardEvent` that decides. */
export interface KeyPress {
  key: string
  code?: string
  ctrlKey: boolean
  metaKey: boolean
  altKey: boolean
  shiftKey: boolean
}

const NAMED: Record<string, string> = { space: ' ', esc: 'escape' }

export function presses(keys: string, event: KeyPress): boolean {
  const parts = keys.toLowerCase().split('+')
  const wanted = NAMED[parts.at(-1) ?? ''] ?? parts.at(-1) ?? ''
  const [ctrl, shift, alt] = ['ctrl', 'shift', 'alt'].map((modifier) => parts.slice(0, -1).includes(modifier))
  if ((event.ctrlKey || event.metaKey) !== ctrl || event.altKey !== alt) return false
  const key = event.key.toLowerCase()
  const digit = /^\d$/.test(wanted) && event.code === `Digit${wanted}`
  if (key !== wanted && !digit) return false
  // A sign such as `?` needs Shift on some keyboards and not on others: the sign itself decides.
  return /^[a-z0-9]$/.test(wanted) || wanted.length > 1 ? event.shiftKey === shift : true
}

/** A key that stands for a letter or sign, and would be typed in a field. */
export const isLetter = (keys: string) => !/ctrl|alt/i.test(keys) && keys.replace(/^shift\+/i, '').length === 1

export interface Surroundings {
  /** The focus is where text is typed. */
  typing: boolean
  /** Space and Enter belong to the control that has the focus. */
  onControl: boolean
  /** Shortcuts of one letter are turned on. */
  letters: boolean
  /** A dialog is open: it keeps its keys. */
  dialog: boolean
}

/** The command that a key press means here, or `null`. */
export function commandFor(commands: readonly Command[], event: KeyPress, around: Surroundings): Command | null {
  if (around.dialog) return null
  for (const command of commands) {
    for (const keys of command.keys) {
      if (!presses(keys, event)) continue
      const plain = isLetter(keys) || keys === 'Space' || keys === 'Home' || keys === 'End'
      if (plain && around.typing) continue
      if (isLetter(keys) && !around.letters) continue
      if (keys === 'Space' && around.onControl) continue
      if (command.when && !command.when()) continue
      return command
    }
  }
  return null
}

/** Looks through shadow roots, so that the editor counts as a place where text is typed. */
export function surroundings(event: Event, letters: boolean): Surroundings {
  const target = event.composedPath()[0]
  const element = target instanceof Element ? target : null
  const field = element?.closest('input, textarea, select, [contenteditable="true"]')
  return {
    typing: field !== null && field !== undefined && !(field instanceof HTMLInputElement && /^(range|button|checkbox|radio)$/.test(field.type)),
    onControl: element !== null && element.closest('button, a, summary, [role="treeitem"], [role="option"]') !== null,
    letters,
    dialog: document.querySelector('dialog[open]') !== null,
  }
}
