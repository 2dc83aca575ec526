import {
  decodeMessageNode,
  MISSING_KEYS_ERROR_TEXT,
  proto,
  type BaileysEventMap,
  type BinaryNode,
  type WAMessage,
} from '@whiskeysockets/baileys'
import { interceptMessages } from '../baileys/socket/intercept-messages.ts'
import type { GatedSocket } from '../baileys/socket/writes.ts'
import type { SessionContext } from '../core.ts'
import { cutToBounds } from './bounds.ts'
import { InboundResumed } from './disconnect.ts'
import { isForUser, type MessagesUpsert } from './event-json.ts'
import { followUnread } from './follow-unread.ts'
import { followUpdates } from './follow-updates.ts'
import { createHandling, type Handling, type Open } from './handling.ts'
import { nameOf, type InboundLine, type SetAside } from './inbound.ts'
import { takeMessages } from './inbound-events.ts'
import type { SessionSecrets } from './secrets/session.ts'
import { createSemaphore } from './semaphore.ts'
import { isChatTold } from './told.ts'
import type { Told } from '../../shared/events.ts'
import type { UnreadMessages } from './unread.ts'

/** How many messages of a socket may be decrypted while their receipts have not left. */
export const MOST_IN_FLIGHT = 250

type EventType = MessagesUpsert['data']['type']

/** Somebody who follows what a socket brings. */
export interface InboundFollower {
  /** The socket is of no more use, and decrypts nothing more: WhatsApp could not be told, and delivers it again. */
  detach(): void
  /** Call when the socket is closed. Resolves when all it decrypted is stored, or never will be by this worker. */
  drained(): Promise<void>
}

/** Whether a session may take in more, see outbox/budget.ts. */
export interface Quota {
  isFull(): boolean
  /** Resolves when there is room again, or the signal aborts. */
  room(signal: AbortSignal): Promise<void>
  /** Told when the session begins to leave its messages at WhatsApp. */
  paused(): void
}

/** What a session's sockets bring their messages to, one after the other. */
export interface Intake {
  line: InboundLine
  unread: UnreadMessages
  secrets: SessionSecrets
  /** What is told beside messages. */
  told: Told
}

/** A message that Baileys emitted. */
interface Brought {
  message: WAMessage
  type: EventType
  /** Under which it was waited for. */
  name: string | undefined
}

const { CIPHERTEXT } = proto.WebMessageInfo.StubType

/** A message without content, as a sender pads it: what is emitted of it is no message for the user. */
const NOTHING = Buffer.from([1])

/**
 * Brings a socket's messages to the session's line. Baileys (7.0.0-rc14, messages-recv.js) by itself would lose messages in
 * a crash, or bring them twice, so its own calls are used as hooks:
 *
 * - It emits `messages.upsert` into a buffer that is flushed later, up to 30 s after a reconnect. The messages are
 *   taken as they are put in.
 * - It sends the receipt, with which WhatsApp forgets the message, before it emits; and it keeps the ratchet that has gone
 *   forward, with which the message cannot be decrypted again. From the decryption to the append, no frame leaves and no
 *   key is stored. It has one message in its hands at a time (`messageMutex`), and tells that it could read it
 *   (`cancelPendingPhoneRequest`) or asks for it again (`hasExceededMaxRetries`).
 * - It answers a first message that was decrypted before with an error that makes WhatsApp forget it. It is asked for
 *   again, like any other.
 *
 * When too much awaits delivery, nothing is decrypted and no receipt leaves, so that WhatsApp keeps the messages, and not the
 * memory of this process. That goes for all that the socket still brings: a later message must not overtake. When there is
 * room again the socket ends, and the next one gets them all, in order.
 *
 * A message that comes again though it is in the outbox, because its receipt was cut off, may be decrypted or not: in
 * either case it gets its receipt, and no second event.
 */
export function followInbound(
  { sock, gate, holdKeys }: GatedSocket,
  session: SessionContext,
  { line, unread, secrets, told }: Intake,
  quota: Quota,
  setAside: SetAside,
): InboundFollower {
  const { sessionId, core } = session
  const unreadable = followUnread({ sock, gate }, unread, { told, now: () => core.clock.now(), setAside })
  const updated = followUpdates({ sock, gate }, session, { line, told, isFull: () => quota.isFull(), setAside })
  const take = takeMessages(sock, session, secrets, told)
  const room = createSemaphore(MOST_IN_FLIGHT)
  const gone = new AbortController()
  let handling: Handling | undefined
  /** Whose part was decrypted last, or could not be. */
  let inHands: BinaryNode | undefined
  let detached = false
  let paused = false

  function shut(settled: Promise<void>): Open {
    room.enter()
    const openGate = gate.hold()
    const openKeys = holdKeys(settled)
    return stored => {
      // When it never will be stored the lease is lost, so that no key can be either, and no receipt must leave.
      if (stored) openGate()
      openKeys()
      void gate.passed().then(room.leave)
    }
  }

  /** Whether what the socket brings stays at WhatsApp from now on. */
  function staysThere(): boolean {
    if (!paused && quota.isFull()) {
      paused = true
      quota.paused()
      void endWhenRoom()
    }
    return paused
  }

  /** Never rejects: nobody waits for it. */
  async function endWhenRoom(): Promise<void> {
    await quota.room(gone.signal)
    if (!detached) await sock.end(new InboundResumed()).catch(() => undefined)
  }

  async function handle<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (staysThere()) return undefined
    await room.free()
    if (staysThere()) return undefined
    const mine = createHandling(shut)
    handling = mine
    try {
      return await work()
    } finally {
      mine.end()
    }
  }

  /** `work` decrypts one part of the message that is in Baileys' hands. */
  async function decrypted<P>(stanza: BinaryNode | undefined, work: () => Promise<P>): Promise<P | Buffer> {
    if (detached) throw new Error('the socket is closed')
    inHands = stanza
    handling?.hold(stanza?.attrs['id'] ?? '')
    try {
      return await work()
    } catch (error) {
      if (isKnown(stanza)) return NOTHING
      // Asked for again, it is forgotten by WhatsApp.
      if (stanza !== undefined) await unreadable.failed(stanza, error)
      handling?.end()
      const isRepeat = error instanceof Error && error.message === MISSING_KEYS_ERROR_TEXT
      throw isRepeat ? new Error('decrypted before', { cause: error }) : error
    }
  }

  function isKnown(stanza: BinaryNode | undefined): boolean {
    const { id = '', lid = '' } = sock.user ?? {}
    return stanza !== undefined && line.knows(nameOf(decodeMessageNode(stanza, id, lid).fullMessage.key))
  }

  function receive({ messages, type, requestId }: BaileysEventMap['messages.upsert']): void {
    for (const message of messages) {
      if (message.messageStubType === CIPHERTEXT && message.category !== 'peer' && !detached)
        unreadable.emitted(message)
      if (message.message && cutToBounds(message.message)) {
        core.log.warn({ sessionId }, 'an inbound message was cut: it is nested too deep, or too large')
      }
      const open = handling?.take(message.key.id ?? '')
      // Of a channel: it comes as a notification, which has been acknowledged, and WhatsApp does not keep it for us.
      if (open === undefined && staysThere()) setAside(new RangeError('too much awaits delivery'))
      else void bring({ message, type, name: requestId && unread.nameOf(message.key.id ?? '') }, open)
    }
  }

  /** Never rejects: nobody waits for it. */
  async function bring(brought: Brought, open: Open | undefined): Promise<void> {
    const stored = await store(brought).catch((error: unknown) => {
      setAside(error)
      return true
    })
    open?.(stored)
    if (!stored && !detached) await sock.end(new Error('an inbound message cannot be stored')).catch(() => undefined)
  }

  /** Resolves true when there is no more to do for the message. */
  async function store({ message, type, name }: Brought): Promise<boolean> {
    if (message.messageStubType !== CIPHERTEXT) unread.arrived(name ?? nameOf(message.key))
    if (!isForUser(message) || !isChatTold(told, message.key.remoteJid)) return true
    const { content, events, learnt } = take(message, type)
    const [stored] = await Promise.all([line.push({ name: name ?? nameOf(message.key, content), events }), learnt])
    return stored
  }

  interceptMessages(sock, {
    handle,
    decrypt: decrypted,
    readable: messageId => handling?.hold(messageId),
    unreadable(spent) {
      handling?.end()
      if (spent && inHands !== undefined) unreadable.spent(inHands)
      return detached
    },
    came(stanza) {
      if (!detached && !staysThere()) unreadable.came(stanza)
    },
    emitted: receive,
    updated,
    pending: () => handling?.holds() === true,
  })
  return {
    detach() {
      detached = true
      gone.abort()
      room.close()
    },
    async drained() {
      await handling?.settled()
      await line.idle()
    },
  }
}
