import type { EventEmitter } from 'node:events'

/**
 * Catches what the listeners that Baileys has put on a socket throw or reject. Several of them are async functions that
 * write without a `catch`, so a socket that closes at the wrong moment, or a stanza without a child they count on,
 * would be an unhandled rejection, which ends the process and every session in it. Call it when the socket has just
 * been made: only listeners that are there already are caught.
 */
export function containListeners(emitter: EventEmitter, onError: (event: string, error: unknown) => void): void {
  for (const name of emitter.eventNames()) {
    const listeners = emitter.rawListeners(name) as ((...args: unknown[]) => unknown)[]
    emitter.removeAllListeners(name)
    for (const listener of listeners) emitter.on(name, contained(String(name), listener))
  }

  function contained(name: string, listener: (...args: unknown[]) => unknown) {
    return (...args: unknown[]): void => {
      try {
        const outcome = listener.apply(emitter, args)
        if (outcome instanceof Promise) outcome.catch((error: unknown) => onError(name, error))
      } catch (error) {
        onError(name, error)
      }
    }
  }
}
