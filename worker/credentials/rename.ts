import type { SignalDataTypeMap } from '@whiskeysockets/baileys'
import { keys } from '../../shared/keys.ts'
import { persist } from '../redis/persist.ts'
import { readBytes } from '../redis/reads.ts'
import { UnreadableError, type Place } from './cipher.ts'
import { decodeValue, encodeValue } from './codec.ts'
import type { HashDeps } from './entry.ts'
import type { Entry } from './entry.ts'
import { CREDS, placeOf } from './names.ts'

/** Fields renamed in one write. */
const RENAMED_AT_ONCE = 500

/**
 * Moves what earlier versions wrote in `plain`, fields whose names show the numbers of contacts, to where this one looks.
 * `put` writes entries and removes fields, both or neither, so that a crash leaves each value in one of two places; the
 * next opening goes on. The creds are written anew with the first, though their name stays: an earlier version must find
 * them unreadable, rather than read them and miss all keys. What no key decrypts stays where it is.
 */
export async function renameFields(
  { redis, log, fence, cipher }: HashDeps,
  sessionId: string,
  plain: readonly string[],
  put: (entries: readonly Entry[], gone: readonly string[]) => Promise<void>,
): Promise<void> {
  const hash = keys.credentials(sessionId)
  for (let first = 0; first < plain.length; first += RENAMED_AT_ONCE) {
    const page = [...plain.slice(first, first + RENAMED_AT_ONCE), ...(first === 0 ? [CREDS] : [])]
    const envelopes = await persist(async () => readBytes(redis, fence, hash, page), fence, log)
    const entries: Entry[] = []
    for (const [i, field] of page.entries()) {
      const place = placeOf(sessionId, field)
      const value = decrypted(envelopes[i], place)
      if (value) entries.push({ place, value: renewed(place.type, value) })
    }
    const gone = entries.map(({ place: { type, id } }) => `${type}:${id}`).filter(field => page.includes(field))
    await put(entries, gone)
  }
  log.info({ sessionId, fields: plain.length }, 'the stored keys of a session no longer show the numbers of contacts')

  function decrypted(envelope: Buffer | null | undefined, place: Place): Buffer | undefined {
    try {
      return envelope ? cipher.decrypt(envelope, place) : undefined
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error
      log.warn({ sessionId, type: place.type }, 'a stored key cannot be decrypted, and stays as it is')
      return undefined
    }
  }
}

function renewed(type: string, value: Buffer): Buffer {
  return type === 'pre-key' ? encodeValue(type, decodeValue(type as keyof SignalDataTypeMap, value)) : value
}
