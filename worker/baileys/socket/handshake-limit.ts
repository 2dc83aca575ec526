import { DisconnectReason, type WASocket } from '@whiskeysockets/baileys'

/** How long connecting and the Noise handshake may take together, as in Baileys. */
const HANDSHAKE_MS = 20_000

/** What is used of a socket: whether frames come, and a way to end it. */
export type Connecting = Pick<WASocket, 'ws' | 'ev' | 'end'>

/**
 * Ends a socket whose server has sent nothing that Noise could read within `ms`; what follows the handshake is watched by
 * Baileys' keep-alive. It stands in for `connectTimeoutMs`, which must be 0: Baileys puts that timer around every frame
 * that it writes, too, and formats two stack traces for each, a tenth of what a text costs.
 */
export function limitHandshake({ ws, ev, end }: Connecting, ms = HANDSHAKE_MS): void {
  const timer = setTimeout(() => {
    settled()
    void end(Object.assign(new Error('no handshake in time'), { output: { statusCode: DisconnectReason.timedOut } }))
  }, ms)

  function settled(): void {
    clearTimeout(timer)
    ws.off('frame', onFrame)
  }

  // The server's part of the handshake comes as bytes, stanzas come as nodes.
  function onFrame(frame: unknown): void {
    if (!(frame instanceof Uint8Array)) settled()
  }

  ws.on('frame', onFrame)
  ev.on('connection.update', ({ connection }) => {
    if (connection === 'close') settled()
  })
}
