/** Runs work that has the same name one after the other, in the order of the calls. */
export type KeyedMutex = <T>(name: string, work: () => Promise<T>) => Promise<T>

/** A {@link KeyedMutex}. A failure is its caller's alone; a name that nobody waits for takes no memory. */
export function createKeyedMutex(): KeyedMutex {
  const last = new Map<string, Promise<void>>()

  return async (name, work) => {
    const before = last.get(name)
    const { promise, resolve } = Promise.withResolvers<void>()
    last.set(name, promise)
    try {
      await before
      return await work()
    } finally {
      if (last.get(name) === promise) last.delete(name)
      resolve()
    }
  }
}
