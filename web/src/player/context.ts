import { createContext } from 'svelte'
import type { Session } from './session.svelte'

/** The session that the components of a page share. */
export const [useSession, provideSession] = createContext<Session>()
