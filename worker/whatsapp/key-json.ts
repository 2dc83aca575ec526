import { isJidGroup, isLidUser, isPnUser, jidNormalizedUser, type WAMessageKey } from '@whiskeysockets/baileys'
import type { WebhookEvent } from '../../shared/events.ts'

/** The key of a message in an event. */
export type KeyJson = Extract<WebhookEvent, { event: 'messages.upsert' }>['data']['messages'][number]['key']

/** Finds the phone number of a LID in what the session has learnt. */
export type FindPhoneNumber = (lid: string) => Promise<string | null>

/** Our own jids. */
export interface Me {
  id: string | undefined
  lid: string | undefined
}

/** What Baileys may know of a key's people and of a channel's post. */
const AS_GIVEN = ['remoteJidUsername', 'participantUsername', 'server_id'] as const

/**
 * A key as events have it. People are named by phone number where it is known, with their LID beside it in `remoteJidAlt` and
 * `participantAlt`; with their user names and the number of a channel's post where Baileys gives them.
 */
export async function keyJson(key: WAMessageKey, me: Me, find: FindPhoneNumber): Promise<KeyJson> {
  const fromMe = key.fromMe === true
  const remoteJid = jidNormalizedUser(key.remoteJid ?? '')
  // Of a message that our phone sent, Baileys may give our own number as the other name of the chat.
  const chat = await nameOf(remoteJid, fromMe ? notMine(key.remoteJidAlt, remoteJid, me) : key.remoteJidAlt, find)
  const author = typeof key.participant === 'string' && key.participant !== '' ? key.participant : undefined
  const person = author === undefined ? undefined : await nameOf(jidNormalizedUser(author), key.participantAlt, find)
  return {
    remoteJid: chat.jid,
    ...(chat.alt !== undefined && { remoteJidAlt: chat.alt }),
    fromMe,
    id: key.id ?? '',
    ...(person !== undefined && { participant: person.jid }),
    ...(person?.alt !== undefined && { participantAlt: person.alt }),
    ...Object.fromEntries(AS_GIVEN.map(name => [name, key[name]]).filter(([, value]) => typeof value === 'string')),
  }
}

/** Whether both name the same person, whatever the device. */
export function isSamePerson(one: string, other: string | undefined): boolean {
  return one !== '' && other !== undefined && jidNormalizedUser(one) === jidNormalizedUser(other)
}

function notMine(alt: string | undefined, chat: string, me: Me): string | undefined {
  if (alt === undefined || me.id === undefined) return alt
  const isMyChat = me.lid !== undefined && isSamePerson(chat, me.lid)
  return isSamePerson(alt, me.id) && !isMyChat ? undefined : alt
}

async function nameOf(jid: string, alt: string | undefined, find: FindPhoneNumber) {
  const other = alt === undefined || alt === '' ? undefined : jidNormalizedUser(alt)
  if (isJidGroup(jid) === true) return { jid, alt: undefined }
  if (isLidUser(jid) !== true) return { jid, alt: other === jid ? undefined : other }
  const known = other !== undefined && isPnUser(other) === true ? other : await find(jid)
  return known === null || known === undefined ? { jid, alt: undefined } : { jid: jidNormalizedUser(known), alt: jid }
}
