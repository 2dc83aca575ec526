import { isJidNewsletter, isLidUser, jidNormalizedUser, type WAMessageKey } from '@whiskeysockets/baileys'
import { isSamePerson, keyJson, type FindPhoneNumber, type KeyJson, type Me } from './key-json.ts'

/** People whose other name is looked up for one message; its sender chooses how many it names. */
const MOST_LOOKED_UP = 32

type Json = Record<string, unknown>

/** The message that the keys are in. */
export interface Outer {
  /** Its key as Baileys gave it. */
  raw: WAMessageKey
  /** Its key as the event has it. */
  told: KeyJson
}

/**
 * The content with the keys of other messages that it names (what is edited, revoked, reacted to, voted on, pinned) and the
 * authors of quotes told as the event's own key is: the same chat, the same names of people, and `fromMe` says whether it was
 * we who wrote that message. Who wrote the content meant themselves by it: Baileys turns that round in reactions and
 * votes, and in nothing else. What is quoted stays as it is, a copy of what stood elsewhere.
 */
export async function tellInnerKeys(content: Json, outer: Outer, me: Me, find: FindPhoneNumber): Promise<Json> {
  const looked = new Map<string, Promise<string | null>>()
  const names: FindPhoneNumber = async lid => {
    const known = knownIn(outer.told, lid, me)
    if (known !== undefined) return known
    const before = looked.get(lid)
    if (before !== undefined) return before
    if (looked.size >= MOST_LOOKED_UP) return null
    const asked = find(lid)
    looked.set(lid, asked)
    return asked
  }

  return told(content, '')

  /** What was cut to bounds is at most 64 levels deep. */
  async function told(branch: Json, owner: string): Promise<Json> {
    const copy: Json = {}
    for (const [field, value] of Object.entries(branch)) copy[field] = await toldField(field, value, owner)
    return owner === 'contextInfo' ? { ...copy, ...(await quoteFor(copy)) } : copy
  }

  async function toldField(field: string, value: unknown, owner: string): Promise<unknown> {
    if (typeof value !== 'object' || value === null || field === 'quotedMessage') return value
    if (Array.isArray(value)) return Promise.all(value.map(async item => toldField('', item, field)))
    return isKey(field, value) ? keyFor(value, owner) : told(value as Json, field)
  }

  async function keyFor(key: Json, owner: string): Promise<Json> {
    const chat = text(key['remoteJid'])
    const isElsewhere = chat !== '' && /@(g\.us|newsletter|broadcast)$/.test(chat) && chat !== outer.told.remoteJid
    const asTheyWrote: WAMessageKey = {
      remoteJid: chat,
      fromMe: key['fromMe'] === true,
      id: text(key['id']),
      participant: text(key['participant']),
    }
    if (isElsewhere) return keyJson(asTheyWrote, me, names)
    const isOurs = outer.raw.fromMe === true || owner === 'reactionMessage' || owner === 'pollUpdateMessage'
    const author = isOurs ? asTheyWrote : fromOurSide(asTheyWrote, outer.raw, me)
    const { remoteJidAlt } = outer.told
    const told = await keyJson(
      { ...author, remoteJid: outer.told.remoteJid, ...(typeof remoteJidAlt === 'string' && { remoteJidAlt }) },
      me,
      names,
    )
    return { ...plainRest(key), ...told }
  }

  async function quoteFor({ participant, remoteJid }: Json): Promise<Json> {
    const author = await named(participant)
    const chat = await named(remoteJid)
    return {
      ...(author && { participant: author.jid, participantAlt: author.lid }),
      ...(chat && { remoteJid: chat.jid, remoteJidAlt: chat.lid }),
    }
  }

  /** Somebody who is named by LID, if the number is known. */
  async function named(given: unknown): Promise<{ jid: string; lid: string } | undefined> {
    const lid = jidNormalizedUser(text(given))
    if (isLidUser(lid) !== true) return undefined
    const number = await names(lid)
    return number === null ? undefined : { jid: jidNormalizedUser(number), lid }
  }
}

/** A key that somebody else wrote, as we would write it. */
function fromOurSide(key: WAMessageKey, raw: WAMessageKey, me: Me): WAMessageKey {
  if (isJidNewsletter(raw.remoteJid ?? '') === true) return { ...key, fromMe: false }
  const isGroup = text(raw.participant) !== ''
  if (!isGroup) return { ...key, fromMe: key.fromMe !== true, participant: '' }
  const author = text(key.participant) === '' && key.fromMe === true ? text(raw.participant) : text(key.participant)
  return { ...key, participant: author, fromMe: isSamePerson(author, me.id) || isSamePerson(author, me.lid) }
}

/** The number of a LID that the event's own key names, or that is ours. */
function knownIn(told: KeyJson, lid: string, me: Me): string | undefined {
  if (told['participantAlt'] === lid) return text(told['participant'])
  if (told['remoteJidAlt'] === lid) return told.remoteJid
  return isSamePerson(lid, me.lid) ? me.id : undefined
}

/** Whether a field holds a message's key; protobuf's names for those end so, and so do those of bytes. */
function isKey(field: string, value: object): value is Json {
  return /(^k|K)ey$/.test(field) && typeof (value as Json)['id'] === 'string'
}

/** What a key may have beside its names. */
function plainRest({ remoteJid: _chat, fromMe: _mine, id: _id, participant: _author, ...rest }: Json): Json {
  return rest
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
