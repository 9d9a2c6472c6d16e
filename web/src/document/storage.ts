// Where the world is kept between visits: localStorage, which survives a crash at once; a world too large for it goes to IndexedDB.

const KEY = 'hoplab.world'
const ELSEWHERE = 'in-indexeddb'

export interface Keeper {
  read(): Promise<string | null>
  /** Rejects when the browser keeps nothing (private mode, full disk). */
  write(text: string): Promise<void>
}

export const browserKeeper: Keeper = {
  async read() {
    const text = localStorage.getItem(KEY)
    return text === ELSEWHERE ? await readLarge() : text
  },
  async write(text) {
    try {
      localStorage.setItem(KEY, text)
    } catch {
      await writeLarge(text)
      localStorage.setItem(KEY, ELSEWHERE)
    }
  },
}

const STORE = 'worlds'

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('hoplab', 1)
    request.onupgradeneeded = () => request.result.createObjectStore(STORE)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('IndexedDB cannot be opened'))
  })
}

async function readLarge(): Promise<string | null> {
  const database = await open()
  return new Promise((resolve, reject) => {
    const request = database.transaction(STORE).objectStore(STORE).get(KEY)
    request.onsuccess = () => resolve(typeof request.result === 'string' ? request.result : null)
    request.onerror = () => reject(request.error ?? new Error('IndexedDB cannot be read'))
  })
}

async function writeLarge(text: string): Promise<void> {
  const database = await open()
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, 'readwrite')
    transaction.objectStore(STORE).put(text, KEY)
    transaction.oncomplete = () => resolve()
    transaction.onerror = () => reject(transaction.error ?? new Error('IndexedDB cannot be written'))
  })
}
