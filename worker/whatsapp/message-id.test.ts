import { expect, test } from 'vitest'
import { messageIdOf } from './message-id.ts'

const secret = { noiseKey: { private: Buffer.alloc(32, 7) } }
const job = { sessionId: 'user-123', id: '42', createdAt: 1_700_000_000_000 }

test('is the same for every run of a job, and never changes', () => {
  expect(messageIdOf(secret, job)).toBe(messageIdOf(secret, { ...job }))
  // Pinned: a deployment that made another id out of the same job would send it twice.
  expect(messageIdOf(secret, job)).toBe('3EB03CC5C025D8E25669FB')
})

test('looks like the ids that Baileys makes', () => {
  expect(messageIdOf(secret, job)).toMatch(/^3EB0[0-9A-F]{18}$/)
})

test('differs by secret, session, job and time, and parts cannot be shifted', () => {
  const ids = [
    messageIdOf(secret, job),
    messageIdOf(secret, { ...job, sessionId: 'user-1234' }),
    messageIdOf(secret, { ...job, id: '43' }),
    messageIdOf(secret, { ...job, createdAt: job.createdAt + 1 }),
    messageIdOf(secret, { ...job, sessionId: 'user-12', id: '342' }),
    messageIdOf(secret, { sessionId: 'a', id: 'b","c', createdAt: 1 }),
    messageIdOf({ noiseKey: { private: Buffer.alloc(32, 8) } }, job),
    messageIdOf(secret, { sessionId: 'a","b', id: 'c', createdAt: 1 }),
  ]
  expect(new Set(ids).size).toBe(ids.length)
})
