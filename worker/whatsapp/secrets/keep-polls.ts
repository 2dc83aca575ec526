import { normalizeMessageContent } from '@whiskeysockets/baileys'
import type { SentStore } from '../sent-store.ts'
import { optionsOf } from './session.ts'
import type { SecretStore } from './store.ts'

/** Has the secrets of polls outlive the polls themselves, which are kept for recipients that ask again: votes come for weeks. */
export function keepingPolls(sent: SentStore, secrets: SecretStore): SentStore {
  return {
    ...sent,
    async keep(fence, sessionId, messageId, ...rest) {
      const message = await sent.keep(fence, sessionId, messageId, ...rest)
      const options = optionsOf(normalizeMessageContent(message))
      const secret = message.messageContextInfo?.messageSecret
      if (options !== undefined && secret) {
        await secrets.keep(fence, sessionId, messageId, { secret, authors: [], options }, 'ours')
      }
      return message
    },
  }
}
