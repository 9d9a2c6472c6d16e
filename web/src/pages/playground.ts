// Entry of the page /playground: mounts the client into <div id="playground">. The page links site.css before.
import { mount } from 'svelte'
import { restoreTheme } from '../theme/theme'
import Playground from './Playground.svelte'

restoreTheme()
const target = document.getElementById('playground')
if (target) {
  target.replaceChildren()
  mount(Playground, { target })
}
