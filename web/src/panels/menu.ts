// Keys and clicks of a menu: arrows move, Escape and Tab and a click elsewhere close.

export function menu(onclose: () => void) {
  return (element: HTMLElement) => {
    const items = () => [...element.querySelectorAll<HTMLElement>('[role="menuitem"]')]
    items()[0]?.focus()
    const away = (event: PointerEvent) => {
      // The button that opened it closes it by itself.
      if (event.target instanceof Node && !element.parentElement?.contains(event.target)) onclose()
    }
    const keydown = (event: KeyboardEvent) => {
      event.stopPropagation()
      const all = items()
      const at = all.findIndex((item) => item === document.activeElement)
      if (event.key === 'Escape' || event.key === 'Tab') onclose()
      else if (event.key === 'ArrowDown') all[(at + 1) % all.length]?.focus()
      else if (event.key === 'ArrowUp') all[(at - 1 + all.length) % all.length]?.focus()
      else if (event.key === 'Home') all[0]?.focus()
      else if (event.key === 'End') all.at(-1)?.focus()
      else return
      event.preventDefault()
    }
    element.addEventListener('keydown', keydown)
    document.addEventListener('pointerdown', away, true)
    return () => {
      element.removeEventListener('keydown', keydown)
      document.removeEventListener('pointerdown', away, true)
    }
  }
}
