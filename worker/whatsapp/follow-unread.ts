import { decodeMessageNode, type BinaryNode, type WAMessage, type WAMessageKey } from '@whiskeysockets/baileys'
import type { GatedSocket } from '../baileys/socket/writes.ts'
import { nameOf, type SetAside } from './inbound.ts'
import { keyJson } from './key-json.ts'
import { isChatTold } from './told.ts'
import type { Told } from '../../shared/events.ts'
import { reasonOf, reasonOfEmpty, type UnreadReason } from './unread-reason.ts'
import type { Unread, UnreadMessages } from './unread.ts'

/** Most empty messages of a socket that may be on their way to Redis. */
const MOST_EMPTY = 250
/** Baileys asks the phone for nothing older. */
const OLDEST_ASKED_FOR_S = 14 * 24 * 60 * 60

/** Brings what a socket cannot read to the session's {@link UnreadMessages}. */
export interface UnreadFollower {
  /** The message could not be decrypted, and will be asked for again. Resolves when that is known to Redis. Never rejects. */
  failed(stanza: BinaryNode, error: unknown): Promise<void>
  /** Baileys emits that it could not read a message. */
  emitted(message: WAMessage): void
  /** Baileys will not ask for it again. */
  spent(stanza: BinaryNode): void
  /** A message has come whose parts Baileys may not look at: no frame leaves before it is stored that it is empty. */
  came(stanza: BinaryNode): void
}

/** Makes the follower of one socket. */
export function followUnread(
  { sock, gate }: Pick<GatedSocket, 'sock' | 'gate'>,
  unread: UnreadMessages,
  { told, now, setAside }: { told: Told; now: () => number; setAside: SetAside },
): UnreadFollower {
  let empty = 0

  function keyOf(stanza: BinaryNode): WAMessageKey {
    const { id = '', lid = '' } = sock.user ?? {}
    return decodeMessageNode(stanza, id, lid).fullMessage.key
  }

  async function toldOf(key: WAMessageKey, reason: UnreadReason): Promise<Unread> {
    const { id, lid } = sock.user ?? {}
    const find = async (jid: string) => sock.signalRepository.lidMapping.getPNForLID(jid)
    return { key: await keyJson(key, { id, lid }, find), reason }
  }

  async function waits(key: WAMessageKey, reason: UnreadReason): Promise<void> {
    await unread.waits(nameOf(key), await toldOf(key, reason))
  }

  async function isEmpty(stanza: BinaryNode, reason: UnreadReason): Promise<void> {
    const key = keyOf(stanza)
    const age = now() / 1000 - Number(stanza.attrs['t'] ?? 0)
    if (reason === 'phone_only' && age <= OLDEST_ASKED_FOR_S) await waits(key, reason)
    else await unread.givenUp(nameOf(key), await toldOf(key, reason))
  }

  /** What our own devices say to each other is nothing that people write. */
  function isNotTold({ attrs }: BinaryNode): boolean {
    return attrs['category'] === 'peer' || !isChatTold(told, attrs['from'])
  }

  return {
    async failed(stanza, error) {
      if (isNotTold(stanza)) return
      await waits(keyOf(stanza), reasonOf(error)).catch(setAside)
    },
    emitted({ key, messageStubParameters }) {
      if (!isChatTold(told, key.remoteJid)) return
      void waits(key, reasonOf(messageStubParameters?.[0])).catch(setAside)
    },
    spent: stanza => unread.spent(nameOf(keyOf(stanza))),
    came(stanza) {
      // Posts of channels are not encrypted.
      if (isNotTold(stanza) || stanza.attrs['from']?.endsWith('@newsletter') === true) return
      const reason = reasonOfEmpty(stanza)
      if (reason === undefined) return
      if (empty >= MOST_EMPTY) return setAside(new RangeError('too many empty messages'))
      empty += 1
      const open = gate.hold()
      void isEmpty(stanza, reason)
        .catch(setAside)
        .finally(() => {
          empty -= 1
          open()
        })
    },
  }
}
