// Entry of pages that are read: the switch between light and dark. Everything else works without script.
import { restoreTheme, switchTheme } from '../theme/theme'

restoreTheme()
for (const button of document.querySelectorAll<HTMLButtonElement>('[data-theme-switch]')) {
  button.hidden = false
  button.addEventListener('click', switchTheme)
}
