import type { WASocket } from '@whiskeysockets/baileys'

/** How long WhatsApp may take to answer a query, as in Baileys. */
const QUERY_MS = 60_000
/** Baileys waits for the answer to a query as a listener to this and the query's id. */
const ANSWER = 'TAG:'

/**
 * Has a query that WhatsApp does not answer within `ms` resolve with undefined, as Baileys has it. It stands in for
 * `defaultQueryTimeoutMs`, which must be undefined: Baileys makes two timers of it for each query, formats four stack traces
 * beside them and throws two errors when the answer comes. A login asks a dozen queries, and that was a tenth of its cost.
 */
export function limitQueries({ ws }: Pick<WASocket, 'ws'>, ms = QUERY_MS): void {
  const timers = new Map<unknown, NodeJS.Timeout>()

  ws.on('newListener', (event: unknown, listener: (answer: undefined) => void) => {
    if (typeof event !== 'string' || !event.startsWith(ANSWER)) return
    timers.set(
      event,
      setTimeout(() => listener(undefined), ms),
    )
  })
  // Baileys stops listening when the answer has come, and when the socket has closed.
  ws.on('removeListener', (event: unknown) => {
    clearTimeout(timers.get(event))
    timers.delete(event)
  })
}
