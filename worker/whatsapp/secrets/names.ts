import { jidNormalizedUser } from '@whiskeysockets/baileys'
import { isSamePerson, type KeyJson, type Me } from '../key-json.ts'

/** The names of who wrote a message, number and LID where both are known, none twice. */
export function authorsOf(key: KeyJson, me: Me): string[] {
  if (key.fromMe) return namesOf([me.id, me.lid])
  const { participant, participantAlt, remoteJid, remoteJidAlt } = key
  return namesOf(participant === undefined ? [remoteJid, remoteJidAlt] : [participant, participantAlt])
}

/** Our own names. */
export function ownNames(me: Me): string[] {
  return namesOf([me.id, me.lid])
}

/** Whether two lists of names have a person in common. */
export function areSame(some: readonly string[], others: readonly string[]): boolean {
  return some.some(one => others.some(other => isSamePerson(one, other)))
}

function namesOf(jids: readonly unknown[]): string[] {
  const names = jids.filter(jid => typeof jid === 'string').map(jid => jidNormalizedUser(jid))
  return [...new Set(names.filter(name => name !== ''))]
}
