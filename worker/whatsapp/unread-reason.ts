import { getBinaryNodeChild, getBinaryNodeChildren, type BinaryNode } from '@whiskeysockets/baileys'

/** Why a message cannot be read; what `messages.undecryptable` says. */
export type UnreadReason =
  /** The sender's device and ours have no session in common, or not the one that the message is of. */
  | 'no_session'
  /** The sender's key in this group never came. */
  | 'no_sender_key'
  /** There is a session, and the message does not fit it. */
  | 'bad_mac'
  /** Its key was used before, or is too old to be kept. */
  | 'key_used'
  /** What was decrypted is no message. */
  | 'malformed'
  /** WhatsApp gave an empty message: only the phone has it. It happens with those that begin at an advertisement. */
  | 'phone_only'
  /** To be seen once, on the phone. */
  | 'view_once'
  /** Between the phone and a bot, such as Meta AI. */
  | 'bot'
  /** Of a business whose messages WhatsApp hosts. */
  | 'hosted'
  | 'unknown'

/** What the messages of libsignal's and Baileys' errors have in common; they have no codes. */
const REASONS: readonly [RegExp, UnreadReason][] = [
  [/^No SenderKeyRecord|^No session found to decrypt|^No session state/, 'no_sender_key'],
  [/^No (matching )?sessions?|^Chain closed|PreKey ID/i, 'no_session'],
  [/^Bad MAC|^Invalid ?(Message|signature)|UntrustedIdentity/i, 'bad_mac'],
  [/^Key used already|decrypted before|old counter|into the future|^No sender message key/, 'key_used'],
  [/wire type|index out of range|invalid end group|unpad|padding/i, 'malformed'],
]

/** Why a message could not be decrypted, by the error. */
export function reasonOf(error: unknown): UnreadReason {
  const text = error instanceof Error ? error.message : String(error)
  return REASONS.find(([pattern]) => pattern.test(text))?.[1] ?? 'unknown'
}

/** Kinds of what WhatsApp leaves out, by the `type` of `unavailable`. Baileys asks the phone for none of these. */
const LEFT_OUT: Readonly<Record<string, UnreadReason>> = {
  view_once: 'view_once',
  view_once_unavailable_fanout: 'view_once',
  bot_unavailable_fanout: 'bot',
  hosted_unavailable_fanout: 'hosted',
}

/**
 * Why there is nothing to decrypt in a message, or undefined when there is. `phone_only` is the one that Baileys asks the phone
 * for.
 */
export function reasonOfEmpty(stanza: BinaryNode): UnreadReason | undefined {
  const encrypted = getBinaryNodeChildren(stanza, 'enc')
  // A bot's answers are encrypted with a secret that only the phone has.
  if (encrypted[0]?.attrs['type'] === 'msmsg') return 'bot'
  const parts = [...encrypted, ...getBinaryNodeChildren(stanza, 'plaintext')]
  if (parts.some(({ content }) => content instanceof Uint8Array)) return undefined
  return LEFT_OUT[getBinaryNodeChild(stanza, 'unavailable')?.attrs['type'] ?? ''] ?? 'phone_only'
}
