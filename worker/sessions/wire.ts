import type { Credentials } from '../credentials/store.ts'
import { readDisconnect, type Disconnect } from '../whatsapp/disconnect.ts'
import { createSocketCaches } from '../baileys/socket/expiring-cache.ts'
import type { Identity, SocketListener } from '../whatsapp/socket.ts'
import { openConnection, type Connection, type ConnectionDeps } from './connection.ts'
import type { SessionContext } from '../core.ts'

/** What the current connection of a session reports. What an earlier one still reports is dropped. */
export interface WireListener {
  /** How the session can be linked now. */
  shown(by: { qr: string } | { pairingCode: string }): void
  accepted(): void
  opened(identity: Identity): void
  renamed(pushName: string): void
  closed(end: Disconnect): void
  /** A pairing code could not be had; the next QR text tries again. */
  codeFailed(error: unknown): void
}

/** The connections of a session: never more than one at a time. */
export interface Wire {
  /** Whose phone is to be linked by a code instead of a QR, digits; it holds for the connections to come. */
  phone: string | undefined
  /** Ends the connection there is, then opens another. A failure to open is reported as `closed`. */
  connect(): Promise<void>
  /** Resolves when nothing of the connection is left. */
  disconnect(): Promise<void>
  /** Like `disconnect`, at once. */
  kill(): void
  /** The connection, while it can be written to. */
  usable(): Connection | undefined
  /** Changes with every connect, disconnect and kill. */
  generation(): number
}

/** Makes the wire of a session. */
export function createWire(
  deps: ConnectionDeps,
  context: SessionContext,
  credentials: Credentials,
  listener: WireListener,
): Wire {
  const { clock, log } = context.core
  const caches = createSocketCaches(() => clock.now())
  let connection: Connection | undefined
  let generation = 0

  function listenerOf(mine: number): Omit<SocketListener, 'lost'> {
    let asked = false

    async function showCode(phone: string): Promise<void> {
      asked = true
      try {
        const pairingCode = await connection?.pairingCode(phone)
        if (pairingCode !== undefined && mine === generation) listener.shown({ pairingCode })
      } catch (error) {
        asked = false
        if (mine === generation) listener.codeFailed(error)
      }
    }

    const ifCurrent =
      <A extends unknown[]>(report: (...args: A) => void) =>
      (...args: A): void => {
        if (mine === generation) report(...args)
      }

    return {
      qr: ifCurrent((qr: string) => {
        if (wire.phone === undefined) listener.shown({ qr })
        // One code lives as long as all QR texts of a connection together.
        else if (!asked) void showCode(wire.phone)
      }),
      paired: ifCurrent(() => listener.accepted()),
      opened: ifCurrent((identity: Identity) => {
        wire.phone = undefined
        listener.opened(identity)
      }),
      renamed: ifCurrent((pushName: string) => listener.renamed(pushName)),
      closed: ifCurrent((end: Disconnect) => listener.closed(end)),
    }
  }

  const wire: Wire = {
    phone: undefined,

    async connect() {
      const ending = wire.disconnect()
      // Taken before anything is awaited: whoever disconnects meanwhile is the newer one.
      const mine = generation
      await ending
      try {
        const [creds, follow] = await Promise.all([credentials.loadCreds(), deps.attach.follow(context)])
        if (mine === generation) {
          connection = openConnection(deps, context, { creds, credentials, caches, follow }, listenerOf(mine))
        }
      } catch (error) {
        const { sessionId } = context
        log.warn({ sessionId, error: error instanceof Error ? error.message : 'unknown' }, 'a socket could not be made')
        if (mine === generation) listener.closed(readDisconnect(error))
      }
    },

    async disconnect() {
      generation += 1
      const old = connection
      connection = undefined
      await old?.end()
    },

    kill() {
      generation += 1
      connection?.kill()
      connection = undefined
    },

    usable: () => (connection?.closed.aborted === false ? connection : undefined),
    generation: () => generation,
  }
  return wire
}
