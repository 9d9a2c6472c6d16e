// The commands of the playground.
import type { Session } from '../player/session.svelte'
import { LENSES } from '../scene/lens'
import { followPlayer, lookAt, type Picking } from '../player/picking.svelte'
import type { Command } from './commands'
import type { Desk } from './desk.svelte'

export interface Acts {
  session: Session
  desk: Desk
  picking: Picking
  share: () => void
  copyPath: () => void
  openFiles: () => void
  theme: () => void
}

export function commandsOf({ session, desk, picking, share, copyPath, openFiles, theme }: Acts): Command[] {
  const { player, view, document: doc } = session
  const hasPath = () => player.timeline !== null
  const move = (action: () => void) => () => {
    action()
    followPlayer(session)
  }
  const focus = (id: string) => () => document.getElementById(id)?.focus()
  return [
    { id: 'request.send', label: 'Send the request', group: 'Request', keys: ['R', 'Ctrl+Enter'], run: () => void session.send() },
    { id: 'request.pick', label: 'Pick source and destination on the drawing', group: 'Request', keys: ['P'], run: () => picking.start() },
    { id: 'request.from', label: 'Choose where it starts', group: 'Request', keys: [], run: focus('from') },
    { id: 'request.to', label: 'Choose where it goes', group: 'Request', keys: [], run: focus('to') },
    { id: 'request.copy', label: 'Copy the path in words', group: 'Request', keys: [], when: hasPath, run: copyPath },
    { id: 'request.clear', label: 'Forget the path', group: 'Request', keys: [], when: hasPath, run: () => session.clear() },
    { id: 'player.toggle', label: 'Play or pause', group: 'Player', keys: ['Space'], when: hasPath, run: move(() => player.toggle()) },
    { id: 'player.back', label: 'One hop back', group: 'Player', keys: [','], when: hasPath, run: move(() => player.back()) },
    { id: 'player.forward', label: 'One hop on', group: 'Player', keys: ['.'], when: hasPath, run: move(() => player.forward()) },
    { id: 'player.leg-back', label: 'Previous leg', group: 'Player', keys: ['['], when: hasPath, run: move(() => player.leap(-1)) },
    { id: 'player.leg-forward', label: 'Next leg', group: 'Player', keys: [']'], when: hasPath, run: move(() => player.leap(1)) },
    { id: 'player.first', label: 'To the start', group: 'Player', keys: ['Home'], when: hasPath, run: move(() => player.first()) },
    { id: 'player.last', label: 'To the end', group: 'Player', keys: ['End'], when: hasPath, run: move(() => player.last()) },
    { id: 'view.fit', label: 'Fit all', group: 'Drawing', keys: ['Shift+1'], run: () => view.fit() },
    { id: 'view.in', label: 'Zoom in', group: 'Drawing', keys: ['+'], run: () => view.zoom(1.25) },
    { id: 'view.out', label: 'Zoom out', group: 'Drawing', keys: ['-'], run: () => view.zoom(0.8) },
    { id: 'view.end-pick', label: 'Stop picking', group: 'Drawing', keys: ['Esc'], when: () => picking.step !== null, run: () => picking.stop() },
    ...LENSES.map((lens): Command => ({ id: `view.lens-${lens.id}`, label: `Look at ${lens.label}: ${lens.title.toLowerCase()}`, group: 'Drawing', keys: [], run: () => lookAt(session, lens.id) })),
    { id: 'document.undo', label: 'Undo', group: 'Document', keys: ['Ctrl+Z'], when: () => doc.canUndo, run: () => doc.undo() },
    { id: 'document.redo', label: 'Redo', group: 'Document', keys: ['Ctrl+Shift+Z', 'Ctrl+Y'], when: () => doc.canRedo, run: () => doc.redo() },
    { id: 'document.open', label: 'Open files', group: 'Document', keys: ['Ctrl+O'], run: openFiles },
    { id: 'document.examples', label: 'Open an example', group: 'Document', keys: ['E'], run: () => (desk.dialog = 'examples') },
    { id: 'document.share', label: 'Copy a link to this world', group: 'Document', keys: [], run: share },
    { id: 'document.terminal', label: 'Go to the terminal', group: 'Document', keys: ['T'], run: () => desk.openTerminal(null) },
    { id: 'help.finder', label: 'Find an object or a command', group: 'Help', keys: ['Ctrl+K'], run: () => (desk.dialog = 'finder') },
    { id: 'help.keys', label: 'Keyboard shortcuts', group: 'Help', keys: ['?'], run: () => (desk.dialog = 'help') },
    { id: 'help.theme', label: 'Switch between light and dark', group: 'Help', keys: [], run: theme },
  ]
}
