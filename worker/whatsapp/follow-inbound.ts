import { MISSING_KEYS_ERROR_TEXT, type BaileysEventMap, type WAMessage, type WASocket } from '@whiskeysockets/baileys'
import type { SessionContext } from '../sessions/context.ts'
import { isForUser, messageJson, snapshot, type MessagesUpsert } from './event-json.ts'
import { gateFrames } from './frame-gate.ts'
import type { RawSocket } from './guard-socket.ts'
import type { InboundLine } from './inbound.ts'

/**
 * How long the gate stays shut for a message that Baileys decrypted and then did not emit. Nothing but the event loop
 * stands between the two, so this is long.
 */
const EMIT_TIMEOUT_MS = 20

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
 *
 * Returns what lets go of the socket. What is in the line is appended all the same.
 */
export function followInbound(sock: WASocket, session: SessionContext, line: InboundLine): () => void {
  const gate = gateFrames(sock.ws as unknown as RawSocket)
  const held = new Map<string, () => void>()
  let following = true

  const release = (messageId: string) => {
    held.get(messageId)?.()
    held.delete(messageId)
  }

  const hold = (messageId: string) => {
    if (!following || held.has(messageId)) return
    const open = gate.hold()
    held.set(messageId, open)
    setTimeout(() => {
      if (held.get(messageId) === open) release(messageId)
    }, EMIT_TIMEOUT_MS).unref()
  }

  const take = ({ messages, type }: BaileysEventMap['messages.upsert']) => {
    for (const message of messages) {
      const messageId = message.key.id ?? ''
      const open = held.get(messageId)
      held.delete(messageId)
      void bring(message, type).then(() => open?.())
    }
  }

  async function bring(message: WAMessage, type: MessagesUpsert['data']['type']): Promise<void> {
    if (!isForUser(message)) return
    const { remoteJid = '', participant = '', fromMe = false, id = '' } = message.key
    const name = JSON.stringify([remoteJid, participant, fromMe, id])
    const taken = snapshot(message)
    const timestamp = Math.floor(session.core.clock.now() / 1000)
    const me = { id: sock.user?.id, lid: sock.user?.lid }
    const find = async (lid: string) => sock.signalRepository.lidMapping.getPNForLID(lid)
    const event = async (): Promise<MessagesUpsert> => ({
      event: 'messages.upsert',
      sessionId: session.sessionId,
      timestamp,
      data: { messages: [await messageJson(taken, me, find)], type },
    })
    if (await line.push({ name, event }, session)) return
    // WhatsApp keeps what has no receipt, and delivers it to the next socket.
    if (following) await sock.end(new Error('inbound messages cannot be stored'))
  }

  const emit = sock.ev.emit.bind(sock.ev)
  sock.ev.emit = (event, data) => {
    if (following && event === 'messages.upsert') take(data as BaileysEventMap['messages.upsert'])
    return emit(event, data)
  }
  hookDecryption(sock, hold)
  askAgainForFirstMessages(sock)

  return () => {
    following = false
    for (const messageId of held.keys()) release(messageId)
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
