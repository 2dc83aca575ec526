import type { RawSocket } from './raw-socket.ts'

/** How long WhatsApp may take to close its side. */
const CLOSE_MS = 1000

/**
 * Makes a socket close in bounded time: `ws` waits up to 30 s for a peer that is gone, and a reconnect would wait with it.
 * `onGone` is called when the socket can no longer be written to, which is before Baileys says so, and maybe more than once.
 */
export function closeInTime(client: RawSocket, onGone: () => void): void {
  const raw = client.socket
  raw?.on('close', onGone)
  const close = client.close.bind(client)
  client.close = async () => {
    onGone()
    const timer = setTimeout(() => raw?.terminate(), CLOSE_MS)
    try {
      await close()
    } finally {
      clearTimeout(timer)
    }
  }
}
