import {
  isJidGroup,
  isLidUser,
  isPnUser,
  jidDecode,
  type GroupMetadata,
  type proto,
  type WAMessageKey,
  type WASocket,
} from '@whiskeysockets/baileys'
import type { PossiblyExtendedCacheStore } from '@whiskeysockets/baileys'
import type { SentStore } from './sent-store.ts'
import type { Fence } from '../ownership/fence.ts'
import { wasMember, type Kept } from './audience.ts'

/** Finds a sent message again when a recipient asks for a retry; Baileys' `getMessage`. */
export type GetMessage = (key: WAMessageKey) => Promise<proto.IMessage | undefined>

/** A recipient that cannot decrypt asks a few times, then it never will. */
const MOST_ANSWERS = 5

/** What answering needs. */
export interface RetriesDeps {
  sessionId: string
  fence: Fence
  sent: Pick<SentStore, 'get'>
  /** The socket that is asked; nothing is asked before there is one. */
  sock: () => Pick<WASocket, 'signalRepository' | 'user'>
  groups: (jid: string) => Promise<GroupMetadata>
  /** How often each asker was answered for each message. */
  answers: PossiblyExtendedCacheStore
}

/**
 * Answers recipients that could not decrypt a message and ask for it again; Baileys' `getMessage`. Baileys sends what
 * this returns to whoever asked, so it returns a message to those alone who were sent it: in a chat with a person, that
 * person (by number or LID); in a group, who was in it when the message was sent; and our own devices. A phone that asks
 * in a group has Baileys send to all who are in it now, so it is answered only while nobody has joined since.
 */
export function createAnswerRetries({ sessionId, fence, sent, sock, groups, answers }: RetriesDeps): GetMessage {
  return async ({ remoteJid, participant, id }) => {
    if (!id || !remoteJid) return undefined
    const asker = participant ?? remoteJid
    const kept = await sent.get(fence, sessionId, id)
    if (kept === undefined || !(await mayAsk(kept, remoteJid, asker))) return undefined
    const key = `${id}|${asker}`
    const answered = (await answers.get<number>(key)) ?? 0
    if (answered >= MOST_ANSWERS) return undefined
    await answers.set(key, answered + 1)
    return kept.message
  }

  async function mayAsk(kept: Kept, remoteJid: string, asker: string): Promise<boolean> {
    const { chat } = kept
    if (chat === undefined) return false
    const own = isOwn(asker)
    if (isJidGroup(chat)) {
      if (remoteJid !== chat) return false
      if (own) return true
      if (!wasMember(kept, asker) && !wasMember(kept, await numberOf(asker))) return false
      return isCompanion(asker) || nobodyJoined(kept, chat)
    }
    if (!isPnUser(chat) && !isLidUser(chat)) return own
    return (await isSamePerson(chat, remoteJid)) && (own || isSamePerson(chat, asker))
  }

  function isOwn(jid: string): boolean {
    const { id, lid } = sock().user ?? {}
    return [id, lid].some(mine => mine !== undefined && person(mine) === person(jid))
  }

  async function nobodyJoined(kept: Kept, chat: string): Promise<boolean> {
    const { participants } = await groups(chat)
    return participants.every(({ id, phoneNumber, lid }) => [id, phoneNumber, lid].some(jid => wasMember(kept, jid)))
  }

  async function isSamePerson(one: string, other: string): Promise<boolean> {
    if (person(one) === person(other)) return true
    const [a, b] = await Promise.all([numberOf(one), numberOf(other)])
    return a !== undefined && b !== undefined && person(a) === person(b)
  }

  /** Looks at what is stored alone: a stranger's question must not have us ask WhatsApp. */
  async function numberOf(jid: string): Promise<string | undefined> {
    if (!isLidUser(jid)) return jid
    return (await sock().signalRepository.lidMapping.getPNForLID(jid)) ?? undefined
  }
}

/** A jid without its device, `628...@s.whatsapp.net`. */
function person(jid: string): string | undefined {
  const decoded = jidDecode(jid)
  return decoded && `${decoded.user}@${decoded.server}`
}

/** Whether it is a linked device, not the phone itself. */
function isCompanion(jid: string): boolean {
  return (jidDecode(jid)?.device ?? 0) > 0
}
