/**
 * An object that a hook fills before the first test, and that a test file can hold from its beginning on. Reading it sooner
 * throws, and names what was read.
 */
export function late<T extends object>(): T & { provide(parts: Partial<T>): void } {
  const filled: Partial<T> = {}
  const holder = new Proxy(filled, {
    get(target, name) {
      if (name === 'provide') return (parts: Partial<T>) => void Object.assign(target, parts)
      if (!(name in target)) throw new Error(`${String(name)} is not there yet: a hook makes it before the tests`)
      return Reflect.get(target, name)
    },
  })
  return holder as T & { provide(parts: Partial<T>): void }
}
