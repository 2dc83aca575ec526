import { libsignal } from '../vendors.ts'
import { keepNewest } from '../../keep-newest.ts'

/** What is used of `libsignal/src/session_record.js` (libsignal 6.0.0). */
interface SessionRecord {
  serialize: (this: SessionRecord) => object
}

const PATCHED = Symbol('records are reused')

interface SessionRecordClass {
  prototype: SessionRecord
  deserialize(data: object): SessionRecord
  [PATCHED]?: true
}

/** A record with its keys takes some kilobytes, so this is a megabyte or two in a process. */
const MOST = 500

/**
 * Lets whoever reads a record have the very object that was written last, in this whole process, instead of one that is
 * parsed from it, which takes libsignal a twentieth of what a text costs. It goes to the first who reads; he may change
 * it and never write it, so that everybody after him gets one that is parsed, until it is written again.
 */
export function reuseRecords(): void {
  const { SessionRecord } = libsignal() as { SessionRecord: SessionRecordClass }
  if (SessionRecord[PATCHED]) return
  SessionRecord[PATCHED] = true
  const parse = SessionRecord.deserialize.bind(SessionRecord)
  const { serialize: write } = SessionRecord.prototype
  /** By what was written. Whoever holds an object that is in here may only read it. */
  const written = new Map<object, SessionRecord>()
  const newest = new WeakMap<SessionRecord, object>()

  SessionRecord.prototype.serialize = function () {
    const before = newest.get(this)
    if (before !== undefined) written.delete(before)
    const data = write.call(this)
    newest.set(this, data)
    written.set(data, this)
    keepNewest(written, MOST)
    return data
  }

  SessionRecord.deserialize = data => {
    const record = written.get(data)
    written.delete(data)
    return record ?? parse(data)
  }
}
