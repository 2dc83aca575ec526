import type { WAMessageKey, WASocket, proto } from '@whiskeysockets/baileys'
import type { FrameGate, GatedSocket } from '../baileys/socket/writes.ts'
import type { JobName } from '../../shared/contract.ts'
import type { JobResult } from '../../shared/receipt.ts'
import type { Core, Fence, Job, Turn } from '../types.ts'
import type { Audience, Kept } from '../whatsapp/audience.ts'
import type { Devices } from '../whatsapp/devices.ts'
import type { Groups } from '../whatsapp/group-cache.ts'

/** Waits for what WhatsApp's server says of the messages of one socket. Made by {@link Attach}, one a socket. */
export interface Acks {
  /** Call before the message is written, and `drop` in any case: the ack may be there before the write returns. */
  expect(messageId: string): PendingAck
}

/** The ack of one message. */
export interface PendingAck {
  /**
   * Call when the message is written: the time to wait starts. Resolves on the server's ack; rejects with a
   * `JobFailure`: `WHATSAPP_REFUSED` (an error ack), `ACK_TIMEOUT`, or `retry: 'wait'` when the socket closed first.
   */
  wait(): Promise<void>
  /** Forgets it. */
  drop(): void
}

/** Sent messages, kept (encrypted) for recipients that cannot decrypt and ask again. One for all sessions. */
export interface SentStore {
  /**
   * Keeps the message under its id unless one is there, and resolves with the one that is kept: a job that runs again
   * sends what it sent before, with the same media keys and poll secret. Without an audience nobody is ever sent it.
   * Throws `FencedError`.
   */
  keep(
    fence: Fence,
    sessionId: string,
    messageId: string,
    message: proto.IMessage,
    audience?: Audience,
  ): Promise<proto.IMessage>
  /** What is kept under the id. Throws `FencedError`. */
  get(fence: Fence, sessionId: string, messageId: string): Promise<Kept | undefined>
  /** Forgets a message that was never sent. Throws `FencedError`. */
  forget(fence: Fence, sessionId: string, messageId: string): Promise<void>
}

/** One session as its socket's followers see it. `fence` guards every write they make for it. */
export interface SessionContext {
  sessionId: string
  fence: Fence
  core: Core
}

/** What a handler gets: an open socket and what belongs to it. It is made anew for each job. */
export interface SendContext extends SessionContext {
  sock: WASocket
  gate: Pick<FrameGate, 'passed'>
  acks: Acks
  sent: SentStore
  /** Knows the groups of the session; rejects when it is not in one. */
  groups: Groups
  /** Knows the devices of those that messages go to. */
  devices: Devices
  /** When the job may write. A handler that writes without asking runs alone. */
  turn: Turn
}

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

/** Jobs that need an open session. START, STOP and DELETE are the registry's own. */
export type SessionJobName = Exclude<JobName, 'START_SESSION' | 'STOP_SESSION' | 'DELETE_SESSION'>

/**
 * Does one job. Throws `JobFailure`. `signal` aborts when the socket closes, the lease is lost or the worker stops;
 * whatever a handler throws after its socket closed counts as `retry: 'wait'`.
 */
export type Handler<N extends SessionJobName> = (
  context: SendContext,
  job: Job<N>,
  signal: AbortSignal,
) => Promise<JobResult>

/** One handler a job type; the compiler names what is missing. */
export type Handlers = { [N in SessionJobName]: Handler<N> }

/** Finds a sent message again when a recipient asks for a retry; Baileys' `getMessage`. */
export type GetMessage = (key: WAMessageKey) => Promise<proto.IMessage | undefined>
