// Where texts are kept between visits: localStorage, which survives a crash at once; what is too large for it goes to IndexedDB.

/** Keeps one document. */
export interface Keeper {
  read(): Promise<string | null>
  /** Rejects when the browser keeps nothing (private mode, full disk). */
  write(text: string, about: { title: string; files: number }): Promise<void>
  /** What is written next is another document. */
  leave?(): void
}

/** A store without a limit worth speaking of. */
export interface Large {
  read(key: string): Promise<string | null>
  write(key: string, text: string): Promise<void>
  remove(key: string): Promise<void>
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

async function changed(change: (store: IDBObjectStore) => void): Promise<void> {
  const database = await open()
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, 'readwrite')
    change(transaction.objectStore(STORE))
    transaction.oncomplete = () => resolve()
    transaction.onerror = () => reject(transaction.error ?? new Error('IndexedDB cannot be written'))
  })
}

export const browserLarge: Large = {
  async read(key) {
    const database = await open()
    return new Promise((resolve, reject) => {
      const request = database.transaction(STORE).objectStore(STORE).get(key)
      request.onsuccess = () => resolve(typeof request.result === 'string' ? request.result : null)
      request.onerror = () => reject(request.error ?? new Error('IndexedDB cannot be read'))
    })
  },
  write: (key, text) => changed((store) => store.put(text, key)),
  remove: (key) => changed((store) => store.delete(key)),
}
