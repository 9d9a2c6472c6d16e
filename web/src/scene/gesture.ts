// Pan by dragging the ground, pan by wheel, zoom by pinch or Ctrl and wheel.
import type { View } from './view.svelte'

export interface GestureOptions {
  view: View
  /** The page scrolls: one finger and the plain wheel belong to it. */
  pageScrolls: boolean
}

export function gestures({ view, pageScrolls }: GestureOptions) {
  return (element: HTMLElement) => {
    const pointers = new Map<number, { x: number; y: number }>()
    let dragging = false
    const local = (event: { clientX: number; clientY: number }) => {
      const box = element.getBoundingClientRect()
      return { x: event.clientX - box.left, y: event.clientY - box.top }
    }
    const spread = () => {
      const [a, b] = [...pointers.values()]
      return a && b ? { distance: Math.hypot(a.x - b.x, a.y - b.y), at: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } } : null
    }
    const down = (event: PointerEvent) => {
      const onBox = event.target instanceof Element && event.target.closest('button:not(.node):not(.network)')
      if (event.button > 1 || (onBox && event.pointerType === 'mouse' && event.button === 0)) return
      pointers.set(event.pointerId, local(event))
      dragging = false
    }
    const move = (event: PointerEvent) => {
      const before = pointers.get(event.pointerId)
      if (!before) return
      const now = local(event)
      const pinch = spread()
      pointers.set(event.pointerId, now)
      const after = spread()
      if (pinch && after) {
        view.zoom(after.distance / Math.max(1, pinch.distance), after.at)
        view.pan(after.at.x - pinch.at.x, after.at.y - pinch.at.y)
      } else if (event.pointerType !== 'touch' || !pageScrolls) {
        if (!dragging && Math.hypot(now.x - before.x, now.y - before.y) < 4) {
          pointers.set(event.pointerId, before)
          return
        }
        if (!dragging) element.setPointerCapture(event.pointerId)
        dragging = true
        view.pan(now.x - before.x, now.y - before.y)
      }
    }
    const up = (event: PointerEvent) => void pointers.delete(event.pointerId)
    const click = (event: MouseEvent) => {
      // A drag that began on a box's ground ends in no choice.
      if (dragging) event.stopPropagation()
      dragging = false
    }
    const wheel = (event: WheelEvent) => {
      if (event.ctrlKey || event.metaKey) view.zoom(Math.exp(-event.deltaY * 0.004), local(event))
      else if (!pageScrolls) view.pan(event.shiftKey ? -event.deltaY : -event.deltaX, event.shiftKey ? 0 : -event.deltaY)
      else return
      event.preventDefault()
    }
    element.addEventListener('pointerdown', down)
    element.addEventListener('pointermove', move)
    element.addEventListener('pointerup', up)
    element.addEventListener('pointercancel', up)
    element.addEventListener('click', click, true)
    element.addEventListener('wheel', wheel, { passive: false })
    return () => {
      element.removeEventListener('pointerdown', down)
      element.removeEventListener('pointermove', move)
      element.removeEventListener('pointerup', up)
      element.removeEventListener('pointercancel', up)
      element.removeEventListener('click', click, true)
      element.removeEventListener('wheel', wheel)
    }
  }
}
