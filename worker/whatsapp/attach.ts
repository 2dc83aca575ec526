import type { SessionContext } from '../core.ts'
import type { Budget } from '../outbox/budget.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { GatedSocket } from '../baileys/socket/writes.ts'
import { followAcks, type Acks } from './acks.ts'
import { followInbound, type Intake, type Quota } from './follow-inbound.ts'
import { openInboundLine } from './inbound.ts'
import { openSecrets } from './secrets/session.ts'
import type { SecretStore } from './secrets/store.ts'
import type { ToldOf } from './told.ts'
import { openUnread } from './unread.ts'
import type { UnreadReason } from './unread-reason.ts'

/** What {@link Attach} leaves on a socket. */
export interface Attachment {
  acks: Acks
  /** The socket is of no more use: pending acks reject with `retry: 'wait'`. Safe to call twice. */
  detach(): void
  /** Call when the socket is closed: resolves when no message that it brought waits for the outbox. Never rejects. */
  drained(): Promise<void>
}

/** Follows one new socket, from before it connects until it is detached: inbound messages, acks, receipts. */
export type Follow = (socket: GatedSocket) => Attachment

/** Makes what follows the sockets of sessions. */
export interface Attach {
  /** Readies what is to follow a session's next socket. */
  follow(session: SessionContext): Promise<Follow>
  /** The session has no socket and will have none soon: nothing of it is kept in memory. */
  forget(sessionId: string): void
}

/** What {@link createAttach} needs. */
export interface AttachOptions {
  outbox: Outbox
  budget: Pick<Budget, 'isFull' | 'room'>
  /** Keeps secrets of messages, with which edits and votes are encrypted. */
  secrets: SecretStore
  /** What is told beside messages and connections. Default: nothing. */
  told?: ToldOf
  /** Default: 30 s. */
  ackTimeoutMs?: number
  /** A message from WhatsApp was set aside; for metrics. */
  onSetAside?: () => void
  /** A message was given up that nobody here can decrypt; for metrics. */
  onUnread?: (reason: UnreadReason) => void
  /** How long a message that was asked for again is waited for, in ms. Default: 5 minutes. */
  unreadMs?: number
  /** A session leaves its messages at WhatsApp until there is room for them. */
  onPaused?: (session: SessionContext) => void
}

/** Makes what follows each new socket: acks of what is sent, and messages on their way into the outbox. */
export function createAttach(options: AttachOptions): Attach {
  const {
    outbox,
    budget,
    secrets,
    told = () => new Set(),
    ackTimeoutMs,
    onSetAside,
    onUnread,
    unreadMs,
    onPaused,
  } = options
  // By session and not by socket: what an old socket brought must be stored before what its successor brings.
  const intakes = new Map<string, Promise<Intake>>()

  async function intakeOf(session: SessionContext): Promise<Intake> {
    const { sessionId, fence } = session
    const opened = intakes.get(sessionId)
    if (opened !== undefined) return opened
    const intake = openIntake(session)
    intakes.set(sessionId, intake)
    const forget = () => drop(sessionId, intake)
    fence.signal.addEventListener('abort', forget, { once: true })
    intake.catch(forget)
    return intake
  }

  async function openIntake(session: SessionContext): Promise<Intake> {
    const aside = (error: unknown) => setAside(session, error)
    const line = await openInboundLine(outbox, session, aside)
    const wanted = told(session.sessionId)
    const unread = await openUnread(session, {
      line,
      isTold: wanted.has('messages.undecryptable'),
      onGivenUp: reason => onUnread?.(reason),
      setAside: aside,
      ...(unreadMs !== undefined && { waitMs: unreadMs }),
    })
    return { line, unread, secrets: openSecrets(session, secrets, aside), told: wanted }
  }

  function drop(sessionId: string, intake: Promise<Intake>): void {
    if (intakes.get(sessionId) === intake) intakes.delete(sessionId)
    void intake.then(({ unread }) => unread.close()).catch(() => undefined)
  }

  function setAside({ core, sessionId }: SessionContext, error: unknown): void {
    // The message of the error may quote what somebody wrote.
    core.log.warn(
      { sessionId, reason: error instanceof Error ? error.name : 'unknown' },
      'an inbound message was set aside',
    )
    onSetAside?.()
  }

  function quotaOf(session: SessionContext): Quota {
    const { core, fence, sessionId } = session
    return {
      isFull: () => budget.isFull(fence, sessionId),
      room: async signal => budget.room(fence, sessionId, signal),
      paused() {
        core.log.warn({ sessionId }, 'inbound messages stay at whatsapp: too many events await delivery')
        onPaused?.(session)
      },
    }
  }

  return {
    async follow(session) {
      const intake = await intakeOf(session)
      const quota = quotaOf(session)
      return socket => {
        const acks = followAcks(socket.sock.ws, ackTimeoutMs)
        const inbound = followInbound(socket, session, intake, quota, error => setAside(session, error))
        return {
          acks,
          detach() {
            acks.close()
            inbound.detach()
          },
          drained: async () => inbound.drained(),
        }
      }
    },
    forget(sessionId) {
      const intake = intakes.get(sessionId)
      // A socket that is opened meanwhile goes on with the same line.
      void intake?.then(async ({ line }) => line.idle()).then(() => drop(sessionId, intake))
    },
  }
}
