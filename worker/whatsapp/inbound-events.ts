import { normalizeMessageContent, type WAMessage, type WASocket } from '@whiskeysockets/baileys'
import type { UpdateEvent, WebhookEvent } from '../../shared/events.ts'
import type { SessionContext } from '../core.ts'
import { cutToBounds } from './bounds.ts'
import { contentJson, messageJson, snapshot, type MessagesUpsert } from './event-json.ts'
import { keyJson, type FindPhoneNumber, type Me } from './key-json.ts'
import { updatesOf } from './message-updates.ts'
import { authorsOf, ownNames } from './secrets/names.ts'
import type { SessionSecrets } from './secrets/session.ts'
import type { Told } from '../../shared/events.ts'

/** What is made of a message. */
export interface Taken {
  /** The message as it was when Baileys emitted it. */
  content: object
  /** Its events, in their order: what it changes of earlier messages, where that is told, and the message itself. */
  events: () => Promise<(UpdateEvent | WebhookEvent)[]>
  /** Resolves when what later messages need of it is in Redis. Never rejects. */
  learnt: Promise<void>
}

/** Makes the events of messages that a socket brings. */
export function takeMessages(
  sock: Pick<WASocket, 'user' | 'signalRepository'>,
  { sessionId, core }: SessionContext,
  secrets: SessionSecrets,
  wanted: Told,
): (message: WAMessage, type: MessagesUpsert['data']['type']) => Taken {
  const find: FindPhoneNumber = async lid => sock.signalRepository.lidMapping.getPNForLID(lid)

  return (message, type) => {
    const taken = snapshot(message)
    const timestamp = Math.floor(core.clock.now() / 1000)
    const me: Me = { id: sock.user?.id, lid: sock.user?.lid }
    const sealed = sealedIn(message)
    const authors = async () => authorsOf(await keyJson(taken.key, me, find), me)

    return {
      content: taken.rest,
      learnt: secrets.learn(message, authors),
      async events() {
        const edit = sealed?.secretEncryptedMessage && (await secrets.openEdit(sealed.message, await authors()))
        if (edit) {
          // It was sealed when the message was cut.
          cutToBounds(edit)
          const { messageContextInfo } = taken.rest.message
          taken.rest.message = { ...(messageContextInfo !== undefined && { messageContextInfo }), ...contentJson(edit) }
        }
        const told = await messageJson(taken, me, find)
        const options =
          sealed?.pollUpdateMessage && wanted.has('polls.vote')
            ? await secrets.openVote(sealed.message, await authors(), ownNames(me))
            : undefined
        const vote = options && { options, us: ownNames(me)[0] }
        const updates = updatesOf(told, vote).filter(({ event }) => wanted.has(event))
        return [
          ...updates.map(update => ({ ...update, sessionId, timestamp })),
          { event: 'messages.upsert', sessionId, timestamp, data: { messages: [told], type } },
        ]
      },
    }
  }
}

/** What is encrypted in a message with the secret of another. Baileys changes neither its bytes nor its keys later. */
function sealedIn({ key, message, messageTimestamp }: WAMessage) {
  const { secretEncryptedMessage, pollUpdateMessage } = normalizeMessageContent(message) ?? {}
  if (!secretEncryptedMessage && !pollUpdateMessage) return undefined
  const copy = { secretEncryptedMessage, pollUpdateMessage }
  return { ...copy, message: { key, message: copy, messageTimestamp } as WAMessage }
}
