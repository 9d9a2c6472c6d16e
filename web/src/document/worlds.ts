// Worlds kept between visits: every tab writes its own, and those worked on before can be come back to.
import { browserLarge, type Keeper, type Large } from './storage'

const INDEX = 'hoplab.worlds'
/** The one world that was kept before there were several. */
const OLD = 'hoplab.world'
const MINE = 'hoplab.tab'
const ELSEWHERE = 'in-indexeddb'
/** Older ones are forgotten. */
const KEPT = 24
/** A reloaded page gets its world back as soon as the page before has let go; a copied tab never does. */
const WAIT_MS = 400

export interface Kept {
  readonly id: string
  readonly title: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly files: number
}

type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

/** Says who works on which world, so that two tabs never write the same one. */
export interface Claims {
  /** False: another tab has it, also after `waitMs`. */
  claim(id: string, waitMs: number): Promise<boolean>
  release(id: string): void
}

const keyOf = (id: string) => `${OLD}.${id}`

export class Worlds implements Keeper {
  #id: string | null = null

  constructor(
    private readonly store: Store,
    private readonly tab: Store,
    private readonly claims: Claims,
    private readonly large: Large,
    private readonly newId: () => string,
    private readonly now: () => number = Date.now,
  ) {}

  /** The world of this tab; in a new tab the newest one that no other tab works on. */
  async read(): Promise<string | null> {
    this.#takeOld()
    const mine = this.tab.getItem(MINE)
    if (mine !== null) {
      const text = await this.#text(mine)
      // A tab that was copied goes on with a copy.
      if (await this.claims.claim(mine, WAIT_MS)) this.#id = mine
      else this.#begin()
      return text
    }
    const newest = this.#index()[0]
    if (newest && (await this.claims.claim(newest.id, 0))) {
      this.#is(newest.id)
      return this.#text(newest.id)
    }
    this.#begin()
    return null
  }

  async write(text: string, about: Omit<Kept, 'id' | 'at'>): Promise<void> {
    const id = this.#id ?? this.#begin()
    const others = this.#index().filter((kept) => kept.id !== id)
    if (about.files === 0) {
      this.store.removeItem(keyOf(id))
      this.#list(others)
      return
    }
    try {
      this.store.setItem(keyOf(id), text)
    } catch {
      await this.large.write(keyOf(id), text)
      this.store.setItem(keyOf(id), ELSEWHERE)
    }
    for (const old of others.slice(KEPT - 1)) this.#forget(old.id)
    this.#list([{ id, at: this.now(), ...about }, ...others.slice(0, KEPT - 1)])
  }

  /** From here on another world is written; the one before stays as it is. */
  leave() {
    if (this.#id !== null) this.claims.release(this.#id)
    this.#begin()
  }

  /** Those worked on before, newest first, this tab's left out. */
  recent(): Kept[] {
    return this.#index().filter((kept) => kept.id !== this.#id)
  }

  /** Goes on with one of them; with a copy of it, if another tab works on it. */
  async take(id: string): Promise<string | null> {
    const text = await this.#text(id)
    if (text === null) return null
    if (this.#id !== null) this.claims.release(this.#id)
    if (await this.claims.claim(id, 0)) this.#is(id)
    else this.#begin()
    return text
  }

  #begin(): string {
    const id = this.newId()
    void this.claims.claim(id, 0)
    this.#is(id)
    return id
  }
  #is(id: string) {
    this.#id = id
    try {
      this.tab.setItem(MINE, id)
    } catch {
      // Nothing is kept in this tab; the world itself may still be.
    }
  }
  async #text(id: string): Promise<string | null> {
    const text = this.store.getItem(keyOf(id))
    return text === ELSEWHERE ? this.large.read(keyOf(id)) : text
  }
  #forget(id: string) {
    this.store.removeItem(keyOf(id))
    void this.large.remove(keyOf(id)).catch(() => undefined)
  }
  #takeOld() {
    const text = this.store.getItem(OLD)
    if (text === null || text === ELSEWHERE) return
    const id = this.newId()
    this.store.setItem(keyOf(id), text)
    this.store.removeItem(OLD)
    this.#list([{ id, title: 'World', at: this.now(), files: 1 }, ...this.#index()])
  }
  #index(): Kept[] {
    let list: unknown
    try {
      list = JSON.parse(this.store.getItem(INDEX) ?? '[]')
    } catch {
      return []
    }
    return Array.isArray(list) ? list.filter(isKept) : []
  }
  #list(list: readonly Kept[]) {
    this.store.setItem(INDEX, JSON.stringify(list))
  }
}

const isKept = (value: unknown): value is Kept => {
  const record = value as Partial<Record<keyof Kept, unknown>> | null
  return typeof record === 'object' && record !== null && typeof record.id === 'string' && typeof record.title === 'string' && typeof record.at === 'number' && typeof record.files === 'number'
}

/** By the browser's locks, where it has them: they end with the tab, however it ends. */
export function browserClaims(locks: LockManager | undefined = navigator.locks): Claims {
  const releases = new Map<string, () => void>()
  return {
    claim(id, waitMs) {
      if (!locks || releases.has(id)) return Promise.resolve(true)
      return new Promise((done) => {
        const hold = (lock: Lock | null) => {
          done(lock !== null)
          return lock ? new Promise<void>((release) => releases.set(id, release)) : undefined
        }
        const options = waitMs > 0 ? { signal: AbortSignal.timeout(waitMs) } : { ifAvailable: true }
        locks.request(keyOf(id), options, hold).catch(() => done(false))
      })
    },
    release(id) {
      releases.get(id)?.()
      releases.delete(id)
    },
  }
}

export const browserWorlds = () =>
  new Worlds(localStorage, sessionStorage, browserClaims(), browserLarge, () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`)
