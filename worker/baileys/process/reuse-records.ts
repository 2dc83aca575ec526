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
 * Gives libsignal the object that it wrote as a record, instead of parsing the record again, which takes a twentieth of what
 * a text costs. Only the first who reads a record gets the object: that one may change it and then fail, without writing
 * it. A second reader must not see such changes, so it gets a fresh object, parsed from what was written.
 */
export function reuseRecords(): void {
  const { SessionRecord } = libsignal() as { SessionRecord: SessionRecordClass }
  if (SessionRecord[PATCHED]) return
  SessionRecord[PATCHED] = true
  const parse = SessionRecord.deserialize.bind(SessionRecord)
  const { serialize: write } = SessionRecord.prototype
  /** The object of each record that was written and that nobody has read since. */
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
