import {
  isJidGroup,
  isLidUser,
  isPnUser,
  jidDecode,
  jidNormalizedUser,
  WAMessageAddressingMode,
  type GroupMetadata,
} from '@whiskeysockets/baileys'
import type { SendContext } from './send.ts'

/** Gives the name by which a chat knows a person. */
export type NameIn = (jid: string) => string

/**
 * How people are named in what is sent to a chat. Most groups know their members by LID alone: WhatsApp shows a reaction, a quote
 * or a mention nowhere that names one by number, and acknowledges it. Webhooks tell numbers, so callers have those. Somebody
 * who is not in the group, and everybody elsewhere, keeps the name that is given. Throws `JobFailure` as the group's
 * lookup does.
 */
export async function namesIn({ groups, sock }: Pick<SendContext, 'groups' | 'sock'>, chat: string): Promise<NameIn> {
  if (isJidGroup(chat) !== true) return jid => jid
  const group = await groups.find(chat)
  const names = namesOf(group)
  const { id, lid } = sock.user ?? {}
  if (id !== undefined && lid !== undefined) names.set(jidNormalizedUser(id), jidNormalizedUser(lid))
  const isNamedBy = group.addressingMode === WAMessageAddressingMode.LID ? isLidUser : isPnUser
  return jid => {
    const given = jidNormalizedUser(jid)
    return isNamedBy(given) === true ? given : (names.get(given) ?? given)
  }
}

/** Each member's other name, by the one that is not the group's. */
function namesOf({ participants, addressingMode }: GroupMetadata): Map<string, string> {
  const names = new Map<string, string>()
  for (const { id, lid, phoneNumber } of participants) {
    const [number, name] = [phoneNumber ?? (isPnUser(id) ? id : undefined), lid ?? (isLidUser(id) ? id : undefined)]
    if (number === undefined || name === undefined) continue
    const [from, to] = addressingMode === WAMessageAddressingMode.LID ? [number, name] : [name, number]
    names.set(jidNormalizedUser(from), jidNormalizedUser(to))
  }
  return names
}

/** A text in which those who are mentioned are named as the chat knows them, by which WhatsApp finds them in it: `@<user>`. */
export function mentioning(
  text: string,
  mentions: readonly string[],
  nameIn: NameIn,
): { text: string; mentions: string[] } {
  let named = text
  for (const jid of mentions) {
    const [from, to] = [jidDecode(jid)?.user, jidDecode(nameIn(jid))?.user]
    if (from === undefined || to === undefined || from === to) continue
    named = named.replaceAll(new RegExp(`@${from}(?!\\d)`, 'g'), `@${to}`)
  }
  return { text: named, mentions: mentions.map(nameIn) }
}
