import { beforeAll, expect, test } from 'vitest'
import { libsignal } from '../vendors.ts'
import { reuseRecords } from './reuse-records.ts'

interface SessionRecord {
  sessions: Record<string, unknown>
  serialize(): { _sessions: Record<string, unknown> }
}

const { SessionRecord } = libsignal() as {
  SessionRecord: (new () => SessionRecord) & { deserialize(data: object): SessionRecord }
}
beforeAll(reuseRecords)

const entry = (name: string) => ({ name, serialize: () => ({ name }) })
const recordOf = (name: string) => Object.assign(new SessionRecord(), { sessions: { [name]: entry(name) } })

test('the first reader gets what was written, the next a copy', () => {
  const record = new SessionRecord()
  const data = record.serialize()
  expect(SessionRecord.deserialize(data)).toBe(record)
  const copy = SessionRecord.deserialize(data)
  expect(copy).toBeInstanceOf(SessionRecord)
  expect(copy).not.toBe(record)
})

test('a change that is not written is nobody else’s', () => {
  const record = recordOf('a')
  const data = record.serialize()
  const taken = SessionRecord.deserialize(data)
  taken.sessions = {}
  expect(data._sessions).toEqual({ a: { name: 'a' } })
  taken.serialize()
  // What it was before is not what it is now.
  const { a } = data._sessions
  expect(a).toEqual({ name: 'a' })
  const empty = { _sessions: {}, version: 'v1' }
  expect(SessionRecord.deserialize(empty)).not.toBe(record)
})

test('a record that is written twice is found by what was written last alone', () => {
  const record = new SessionRecord()
  const [first, second] = [record.serialize(), record.serialize()]
  expect(SessionRecord.deserialize(first)).not.toBe(record)
  expect(SessionRecord.deserialize(second)).toBe(record)
})

test('the oldest are forgotten', () => {
  const record = new SessionRecord()
  const data = record.serialize()
  for (let i = 0; i < 500; i++) new SessionRecord().serialize()
  expect(SessionRecord.deserialize(data)).not.toBe(record)
})
