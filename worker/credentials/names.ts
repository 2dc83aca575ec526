import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import type { Place } from './cipher.ts'

/** Bytes of the secret under which the fields of a session's hash are named. */
const SECRET_BYTES = 32

/** Characters of base64url: 96 bits, so that two ids of a session never meet. */
const DIGEST_CHARACTERS = 16

/** The fields that have no id: what they are is no secret. */
export const CREDS = 'creds'
export const NAMES = 'names'

/** The field of a value in the hash of its session. */
export type NameOf = (place: Pick<Place, 'type' | 'id'>) => string

/** A secret for a session that has none yet. It is stored, encrypted, in the field {@link NAMES}, for as long as the hash. */
export function newNamesSecret(): Buffer {
  return randomBytes(SECRET_BYTES)
}

/**
 * Names fields `<type>.<digest of the id>`. Ids are phone numbers and LIDs of contacts, and Redis, its backups and its
 * operators need not know to whom a session writes. A plain digest would not do: all phone numbers are soon tried.
 */
export function createNames(secret: Uint8Array): NameOf {
  const key = createSecretKey(secret)
  return ({ type, id }) => {
    if (id === '') return type
    const digest = createHmac('sha256', key).update(`${type}:${id}`).digest('base64url')
    return `${type}.${digest.slice(0, DIGEST_CHARACTERS)}`
  }
}

/** The place that a value in this field is encrypted for. */
export function placeOf(sessionId: string, field: string): Place {
  const [, type = field, id = ''] = /^([^.:]*)[.:](.*)$/s.exec(field) ?? []
  return { sessionId, type, id }
}

/** Whether the field is named as earlier versions did, `<type>:<id>`, with the contact's number in it. */
export function isPlainName(field: string): boolean {
  return field.includes(':')
}
