import type { Fence } from '../types.ts'

/** Baileys' WebSocket client, and the `ws` socket in it that its types hide. */
export interface RawSocket {
  close(): Promise<void>
  socket: {
    send(data: unknown, callback?: (error?: Error) => void): void
    terminate(): void
    on(event: 'close', listener: () => void): void
    /** The stream below, while there is one. */
    readonly _socket?: { cork(): void; uncork(): void } | null
  } | null
}

/** How long WhatsApp may take to close its side. */
const CLOSE_MS = 1000

/**
 * Puts two guards on a socket. It writes nothing once the lease may have passed to another worker: a process that was
 * frozen asks the clock here before any timer has told it. And it closes in bounded time: `ws` waits up to 30 s for a
 * peer that is gone, and a reconnect would wait with it. `onGone` is called when the socket can no longer be written to,
 * which is before Baileys says so, and maybe more than once.
 */
export function guardSocket(client: RawSocket, fence: Fence, onGone: () => void): { kill: () => void } {
  const raw = client.socket
  const kill = (): void => raw?.terminate()

  if (raw !== null) {
    raw.on('close', onGone)
    const send = raw.send.bind(raw)
    raw.send = (data, callback) => {
      if (fence.valid()) return send(data, callback)
      kill()
      callback?.(new Error('the lease of this session may be lost'))
    }
  }

  const close = client.close.bind(client)
  client.close = async () => {
    onGone()
    const timer = setTimeout(kill, CLOSE_MS)
    try {
      await close()
    } finally {
      clearTimeout(timer)
    }
  }
  return { kill }
}
