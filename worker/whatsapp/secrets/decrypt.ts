import { createDecipheriv, createHash, hkdfSync } from 'node:crypto'
import { decryptPollVote, proto } from '@whiskeysockets/baileys'
import { areSame } from './names.ts'
import type { Secret } from './store.ts'

/** What is encrypted with the secret of another message. */
export interface Sealed {
  payload: Uint8Array
  iv: Uint8Array
  /** The id of the message whose secret it is. */
  targetId: string
  /** The names of who sealed it. */
  authors: readonly string[]
}

const TAG_BYTES = 16

/**
 * What an edit says: WhatsApp's clients put into it what they wrote in the clear before, or the new content alone. Both sides
 * derive the key from the names of author and editor as the chat had them, so each pair is tried. Undefined when the
 * editor is not the author: everybody in a group has the secret, and could change what others wrote.
 */
export function decryptEdit(sealed: Sealed, { secret, authors }: Secret): proto.IMessage | undefined {
  if (!areSame(authors, sealed.authors)) return undefined
  const names = new Set([...sealed.authors, ...authors])
  return firstOf(names, names, (author, editor) => {
    const info = `${sealed.targetId}${author}${editor}Message Edit`
    const key = Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), info, 32))
    return proto.Message.decode(open(key, sealed))
  })
}

/** The names of the options that a voter chose, none when the vote was taken back; undefined when it cannot be read. */
export function decryptVote(
  { payload, iv, targetId, authors }: Sealed,
  { secret, options = [] }: Secret,
  creators: readonly string[],
): string[] | undefined {
  const vote = firstOf(creators, authors, (creator, voter) =>
    decryptPollVote(
      { encPayload: payload, encIv: iv },
      { pollCreatorJid: creator, pollMsgId: targetId, pollEncKey: secret, voterJid: voter },
    ),
  )
  if (vote === undefined) return undefined
  const names = new Map(options.map(name => [createHash('sha256').update(name).digest('hex'), name]))
  return vote.selectedOptions.flatMap(digest => names.get(Buffer.from(digest).toString('hex')) ?? [])
}

/** The first answer among all pairs; those that throw are wrong. */
function firstOf<T>(some: Iterable<string>, others: Iterable<string>, ask: (one: string, other: string) => T) {
  const seconds = [...others]
  for (const one of some) {
    for (const other of seconds) {
      try {
        return ask(one, other)
      } catch {
        continue
      }
    }
  }
  return undefined
}

function open(key: Buffer, { payload, iv }: Sealed): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
  decipher.setAuthTag(payload.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(payload.subarray(0, -TAG_BYTES)), decipher.final()])
}
