// Light, dark, or as the system has it; the choice is kept.

const KEY = 'hoplab.theme'
export type Theme = 'light' | 'dark'

export const shownTheme = (): Theme => (getComputedStyle(document.documentElement).colorScheme === 'dark' ? 'dark' : 'light')

/** Sets what was chosen at an earlier visit. Call before anything is drawn. */
export function restoreTheme() {
  const asked = new URLSearchParams(location.search).get('theme') ?? read()
  if (asked === 'light' || asked === 'dark') document.documentElement.dataset.theme = asked
}

export function switchTheme(): Theme {
  const theme = shownTheme() === 'dark' ? 'light' : 'dark'
  document.documentElement.dataset.theme = theme
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // Nothing is kept in this browser: the choice holds for this page.
  }
  return theme
}

/** Calls back whenever colours change, by the switch or by the system. */
export function onThemeChange(callback: () => void): () => void {
  const observer = new MutationObserver(callback)
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
  const queries = ['(prefers-color-scheme: dark)', '(forced-colors: active)', '(prefers-contrast: more)'].map((query) => matchMedia(query))
  for (const query of queries) query.addEventListener('change', callback)
  return () => {
    observer.disconnect()
    for (const query of queries) query.removeEventListener('change', callback)
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}
