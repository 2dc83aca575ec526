import type { WASocket } from '@whiskeysockets/baileys'

/** Baileys' WebSocket client, and the `ws` socket in it that its types hide (lib/Socket/Client/websocket.js). */
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

/** The WebSocket client of a socket of Baileys. */
export function rawSocketOf({ ws }: Pick<WASocket, 'ws'>): RawSocket {
  return ws as unknown as RawSocket
}
