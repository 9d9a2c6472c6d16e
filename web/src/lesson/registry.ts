// The commands of a lesson's page.
import type { Command } from '../panels/commands'
import { followPlayer, type Picking } from '../player/picking.svelte'
import type { Session } from '../player/session.svelte'
import type { LessonRun } from './lesson.svelte'

export function lessonCommands(lesson: LessonRun, session: Session, picking: Picking): Command[] {
  const { player, view, document } = session
  const hasPath = () => player.timeline !== null && !lesson.locked
  const move = (action: () => void) => () => {
    action()
    followPlayer(session)
  }
  const unlocked = () => !lesson.locked
  return [
    { id: 'request.send', label: 'Send the request', group: 'Request', keys: ['R'], when: unlocked, run: () => void session.send() },
    { id: 'request.pick', label: 'Pick source and destination on the drawing', group: 'Request', keys: ['P'], when: unlocked, run: () => picking.start() },
    { id: 'view.end-pick', label: 'Stop picking', group: 'Drawing', keys: ['Esc'], when: () => picking.step !== null, run: () => picking.stop() },
    { id: 'player.toggle', label: 'Play or pause', group: 'Player', keys: ['Space'], when: hasPath, run: move(() => player.toggle()) },
    { id: 'player.back', label: 'One hop back', group: 'Player', keys: [','], when: hasPath, run: move(() => player.back()) },
    { id: 'player.forward', label: 'One hop on', group: 'Player', keys: ['.'], when: hasPath, run: move(() => player.forward()) },
    { id: 'player.leg-back', label: 'Previous leg', group: 'Player', keys: ['['], when: hasPath, run: move(() => player.leap(-1)) },
    { id: 'player.leg-forward', label: 'Next leg', group: 'Player', keys: [']'], when: hasPath, run: move(() => player.leap(1)) },
    { id: 'view.fit', label: 'Fit all', group: 'Drawing', keys: ['Shift+1'], run: () => view.fit() },
    { id: 'document.undo', label: 'Undo', group: 'Document', keys: ['Ctrl+Z'], when: () => document.canUndo, run: () => document.undo() },
    { id: 'document.redo', label: 'Redo', group: 'Document', keys: ['Ctrl+Shift+Z', 'Ctrl+Y'], when: () => document.canRedo, run: () => document.redo() },
    { id: 'lesson.next', label: 'Next part', group: 'Help', keys: ['PageDown'], when: unlocked, run: () => lesson.next() },
    { id: 'lesson.back', label: 'Part before', group: 'Help', keys: ['PageUp'], run: () => lesson.back() },
  ]
}
