import { setTimeout as sleep } from 'node:timers/promises'
import type { Addressing } from '../whatsapp/addressing.ts'
import { createDevices, type Devices } from '../whatsapp/devices.ts'
import { cacheGroups, type Groups } from '../whatsapp/group-cache.ts'
import { createAnswerRetries } from '../whatsapp/retries.ts'
import type { LiveSocket, SocketListener, SocketOptions, Sockets } from '../whatsapp/socket.ts'
import type { Acks } from '../whatsapp/acks.ts'
import type { Attach, Follow } from '../whatsapp/attach.ts'
import type { SentStore } from '../whatsapp/sent-store.ts'
import type { SessionContext } from '../core.ts'

/** What connections of a session are made of. */
export interface ConnectionDeps {
  sockets: Sockets
  attach: Attach
  sent: SentStore
  /** Default: by LID. */
  addressing?: Addressing
}

/** One socket of a session from its opening to its end, with those who follow it. */
export interface Connection extends LiveSocket {
  acks: Acks
  groups: Groups
  devices: Devices
  /** Aborted as soon as the socket is of no more use. */
  closed: AbortSignal
}

/**
 * Longest that the end of a connection waits for what it brought to be stored, in ms. Then STOP, DELETE and the next
 * connection go on; what is not stored yet keeps its place in the session's line.
 */
const DRAINING_MS = 10_000

/** What a connection carries on from the one before. */
export type ConnectionState = Pick<SocketOptions, 'creds' | 'credentials' | 'caches'>

/** Opens a socket and attaches its followers before anything can arrive. */
export function openConnection(
  { sockets, sent, addressing }: Pick<ConnectionDeps, 'sockets' | 'sent' | 'addressing'>,
  context: SessionContext,
  { follow, ...state }: ConnectionState & { follow: Follow },
  listener: Omit<SocketListener, 'lost'>,
): Connection {
  const { sessionId, fence, core } = context
  const gone = new AbortController()

  const live = sockets.open({
    ...state,
    fence,
    getMessage: createAnswerRetries({
      sessionId,
      fence,
      sent,
      sock: () => live.sock,
      groups: async jid => groups.find(jid),
      answers: state.caches.answers,
    }),
    groupMetadata: async jid => groups.find(jid),
    listener: {
      qr: text => listener.qr(text),
      paired: () => listener.paired(),
      opened: me => listener.opened(me),
      renamed: pushName => listener.renamed(pushName),
      lost: release,
      closed(end) {
        release()
        listener.closed(end)
      },
    },
  })
  const groups = cacheGroups(live.sock, () => core.clock.now())
  const attachment = follow(live)

  function release(): void {
    // Before the followers let go: what they reject is then known to be the socket's fault.
    gone.abort()
    attachment.detach()
  }

  return {
    ...live,
    acks: attachment.acks,
    groups,
    devices: createDevices(live.sock, state.caches.userDevices, addressing),
    closed: gone.signal,
    async end() {
      release()
      await live.end()
      await Promise.race([attachment.drained(), sleep(DRAINING_MS, undefined, { ref: false })])
    },
    kill() {
      release()
      live.kill()
    },
  }
}
