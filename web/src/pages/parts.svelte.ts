import type { LessonRun } from '../lesson/lesson.svelte'
import type { Part } from '../lesson/model'

/** Calls back with the part that is shown, now and whenever it changes. */
export function watchParts(lesson: LessonRun, show: (part: Part) => void) {
  $effect.root(() => {
    $effect(() => show(lesson.progress.part))
  })
}
