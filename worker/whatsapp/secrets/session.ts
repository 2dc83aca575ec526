import { normalizeMessageContent, proto, type WAMessage } from '@whiskeysockets/baileys'
import type { SessionContext } from '../../core.ts'
import { FencedError } from '../../redis/fenced.ts'
import { decryptEdit, decryptVote, type Sealed } from './decrypt.ts'
import type { Kind, Secret, SecretStore } from './store.ts'

const { SecretEncType } = proto.Message.SecretEncryptedMessage
const { Type } = proto.Message.ProtocolMessage
const SECRET_BYTES = 32

/** The secrets of one session's messages. */
export interface SessionSecrets {
  /**
   * Keeps the secret that a message brings, if it does. Resolves when Redis has it; never rejects. What comes behind it finds it
   * at once.
   */
  learn(message: WAMessage, authors: () => Promise<string[]>): Promise<void>
  /** The content of an encrypted edit as clients sent it before; undefined when it cannot be read. */
  openEdit(message: WAMessage, authors: string[]): Promise<proto.IMessage | undefined>
  /** The options that a vote names; undefined when it cannot be read. `us`: our own names. */
  openVote(message: WAMessage, authors: string[], us: string[]): Promise<string[] | undefined>
}

/** Makes the secrets of one session. */
export function openSecrets(
  { sessionId, fence }: SessionContext,
  store: SecretStore,
  onUnkept: (error: unknown) => void,
): SessionSecrets {
  /** Those on their way to Redis. */
  const keeping = new Map<string, Promise<Secret>>()

  async function keep(id: string, kind: Kind, secret: Promise<Secret>): Promise<void> {
    keeping.set(id, secret)
    try {
      await store.keep(fence, sessionId, id, await secret, kind)
    } catch (error) {
      if (!(error instanceof FencedError)) onUnkept(error)
    } finally {
      if (keeping.get(id) === secret) keeping.delete(id)
    }
  }

  async function find(id: string): Promise<Secret | undefined> {
    return (await keeping.get(id)) ?? store.find(fence, sessionId, id)
  }

  return {
    async learn({ key, message }, authors) {
      const content = normalizeMessageContent(message)
      const secret = message?.messageContextInfo?.messageSecret ?? content?.messageContextInfo?.messageSecret
      const id = key.id ?? ''
      if (secret?.length !== SECRET_BYTES || keeping.has(id)) return
      const bytes = Uint8Array.from(secret)
      const options = optionsOf(content)
      const polls = key.fromMe === true ? 'ours' : 'polls'
      const whole = authors().then(names => ({ secret: bytes, authors: names, ...(options && { options }) }))
      await keep(id, options === undefined ? 'messages' : polls, whole)
    },

    async openEdit({ message, messageTimestamp }, authors) {
      const { targetMessageKey, encPayload, encIv, secretEncType } =
        normalizeMessageContent(message)?.secretEncryptedMessage ?? {}
      if (secretEncType !== SecretEncType.MESSAGE_EDIT || !targetMessageKey) return undefined
      const sealed = sealedOf(targetMessageKey, encPayload, encIv, authors)
      const secret = sealed && (await find(sealed.targetId))
      const edit = secret && decryptEdit(sealed, secret)
      if (!edit) return undefined
      const { protocolMessage } = normalizeMessageContent(edit) ?? {}
      const editedMessage = protocolMessage ? protocolMessage.editedMessage : edit
      if (!editedMessage) return undefined
      const timestampMs = protocolMessage?.timestampMs ?? Number(messageTimestamp ?? 0) * 1000
      return { protocolMessage: { key: targetMessageKey, type: Type.MESSAGE_EDIT, editedMessage, timestampMs } }
    },

    async openVote({ message }, authors, us) {
      const { pollCreationMessageKey, vote } = normalizeMessageContent(message)?.pollUpdateMessage ?? {}
      const sealed = sealedOf(pollCreationMessageKey, vote?.encPayload, vote?.encIv, authors)
      const secret = sealed && (await find(sealed.targetId))
      return secret && decryptVote(sealed, secret, secret.authors.length === 0 ? us : secret.authors)
    },
  }
}

function sealedOf(
  target: proto.IMessageKey | null | undefined,
  payload: Uint8Array | null | undefined,
  iv: Uint8Array | null | undefined,
  authors: string[],
): Sealed | undefined {
  if (!target?.id || !payload || !iv) return undefined
  return { payload, iv, targetId: target.id, authors }
}

/** The names of a poll's options, or undefined when it is none. */
export function optionsOf(content: proto.IMessage | undefined): string[] | undefined {
  const poll =
    content?.pollCreationMessage ??
    content?.pollCreationMessageV2 ??
    content?.pollCreationMessageV3 ??
    content?.pollCreationMessageV5
  return poll?.options?.map(({ optionName }) => optionName ?? '')
}
