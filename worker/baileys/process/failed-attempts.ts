import { libsignal } from '../vendors.ts'

/** What is used of `libsignal/src/session_record.js` (libsignal 6.0.0). */
interface SessionEntry {
  constructor: { deserialize(data: unknown): SessionEntry }
  serialize(): unknown
}

type DoDecrypt = (this: unknown, message: Buffer, session: SessionEntry | undefined) => Promise<Buffer>

const PATCHED = Symbol('failed attempts are undone')

interface Libsignal {
  SessionCipher: { prototype: { doDecryptWhisperMessage: DoDecrypt; [PATCHED]?: true } }
}

/**
 * Undoes what an attempt at decrypting has changed when it fails, in this whole process. libsignal tries the sessions of
 * a record one after the other, steps the ratchet of each before it checks the MAC, and stores all of them when one
 * fits: with two sessions, as after a retry, a text under the older would break the newer, and what we send under that
 * could not be read any more.
 */
export function undoFailedAttempts(): void {
  const { prototype } = (libsignal() as Libsignal).SessionCipher
  if (prototype[PATCHED]) return
  const attempt = prototype.doDecryptWhisperMessage
  prototype[PATCHED] = true
  prototype.doDecryptWhisperMessage = async function (message, session) {
    const before = session?.constructor.deserialize(session.serialize())
    try {
      return await attempt.call(this, message, session)
    } catch (error) {
      if (session) Object.assign(session, before)
      throw error
    }
  }
}
