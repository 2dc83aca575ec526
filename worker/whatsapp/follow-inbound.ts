import { MISSING_KEYS_ERROR_TEXT, type BaileysEventMap, type WAMessage, type WASocket } from '@whiskeysockets/baileys'
import type { SessionContext } from '../sessions/context.ts'
import { isForUser, messageJson, snapshot, type MessagesUpsert, type Snapshot } from './event-json.ts'
import type { GatedSocket } from './frame-gate.ts'
import type { InboundLine } from './inbound.ts'

/**
 * How long the gate stays shut for a message that Baileys decrypted and then did not emit. Nothing but the event loop
 * stands between the two, so this is long.
 */
const EMIT_TIMEOUT_MS = 20

type EventType = MessagesUpsert['data']['type']

/** Somebody who follows what a socket brings. */
export interface InboundFollower {
  /** The socket is being closed by somebody else. What it still brings is stored: its receipt may be on its way. */
  detach(): void
  /**
   * Call when the socket is closed. Resolves when all it brought is stored, or never will be by this worker; whatever
   * Baileys decrypts after that has no receipt, so that WhatsApp delivers it again.
   */
  drained(): Promise<void>
}

/**
 * Brings a socket's messages to the session's line. Three things that Baileys (7.0.0-rc14, messages-recv.js) does by
 * itself would lose messages in a crash, so its own calls are used as hooks:
 *
 * - It emits `messages.upsert` into a buffer that is flushed later, up to 30 s after a reconnect. The messages are
 *   taken as they are put in.
 * - It sends the receipt, with which WhatsApp forgets the message, before it emits. From the decryption (it calls
 *   `cancelPendingPhoneRequest` then, and nowhere else for a message that came in) to the append, no frame leaves.
 * - It answers a first message that was decrypted before with an error that makes WhatsApp forget it. After a crash
 *   between decryption and append that is the very message we need: it is asked for again, like any other.
 */
export function followInbound(
  { sock, gate }: GatedSocket,
  session: SessionContext,
  line: InboundLine,
): InboundFollower {
  const held = new Map<string, () => void>()
  let attached = true
  let taking = true

  const release = (messageId: string) => {
    held.get(messageId)?.()
    held.delete(messageId)
  }

  const hold = (messageId: string) => {
    if (held.has(messageId)) return
    const open = gate.hold()
    held.set(messageId, open)
    setTimeout(() => {
      if (held.get(messageId) === open) release(messageId)
    }, EMIT_TIMEOUT_MS).unref()
  }

  const receive = ({ messages, type }: BaileysEventMap['messages.upsert']) => {
    for (const message of messages) {
      const messageId = message.key.id ?? ''
      const open = held.get(messageId)
      held.delete(messageId)
      void bring(message, type, open)
    }
  }

  async function bring(message: WAMessage, type: EventType, open: (() => void) | undefined): Promise<void> {
    if (await store(message, type)) return open?.()
    // The gate stays shut: WhatsApp keeps what has no receipt, and delivers it to the next socket.
    if (attached) await sock.end(new Error('inbound messages cannot be stored')).catch(() => undefined)
  }

  /** Resolves true when there is no more to do for the message. */
  async function store(message: WAMessage, type: EventType): Promise<boolean> {
    const { remoteJid = '', participant = '', fromMe = false, id = '' } = message.key
    const name = JSON.stringify([remoteJid, participant, fromMe, id])
    const taken = take(message)
    if (taken === undefined) return true
    const timestamp = Math.floor(session.core.clock.now() / 1000)
    const me = { id: sock.user?.id, lid: sock.user?.lid }
    const find = async (lid: string) => sock.signalRepository.lidMapping.getPNForLID(lid)
    const event = async (): Promise<MessagesUpsert> => ({
      event: 'messages.upsert',
      sessionId: session.sessionId,
      timestamp,
      data: { messages: [await messageJson(taken, me, find)], type },
    })
    return line.push({ name, event }, session)
  }

  function take(message: WAMessage): Snapshot | undefined {
    try {
      return isForUser(message) ? snapshot(message) : undefined
    } catch (error) {
      // Somebody nested a message as deep as the stack allows. Delivered again it would be no better.
      const reason = error instanceof Error ? error.name : 'unknown'
      session.core.log.warn({ sessionId: session.sessionId, reason }, 'an inbound message cannot be read')
      return undefined
    }
  }

  const emit = sock.ev.emit.bind(sock.ev)
  sock.ev.emit = (event, data) => {
    if (taking && event === 'messages.upsert') receive(data as BaileysEventMap['messages.upsert'])
    return emit(event, data)
  }
  hookDecryption(sock, hold)
  askAgainForFirstMessages(sock)

  return {
    detach() {
      attached = false
    },
    async drained() {
      taking = false
      await line.idle()
    },
  }
}

function hookDecryption({ messageRetryManager: manager }: WASocket, onDecrypted: (messageId: string) => void): void {
  if (manager === null) return
  const cancel = manager.cancelPendingPhoneRequest.bind(manager)
  manager.cancelPendingPhoneRequest = messageId => {
    onDecrypted(messageId)
    cancel(messageId)
  }
}

function askAgainForFirstMessages({ signalRepository: repository }: WASocket): void {
  const decrypt = repository.decryptMessage.bind(repository)
  repository.decryptMessage = async message => {
    try {
      return await decrypt(message)
    } catch (error) {
      const isRepeat = error instanceof Error && error.message === MISSING_KEYS_ERROR_TEXT
      throw isRepeat ? new Error('decrypted before', { cause: error }) : error
    }
  }
}
