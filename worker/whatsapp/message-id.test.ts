import { expect, test } from 'vitest'
import { messageIdOf } from './message-id.ts'

const job = { sessionId: 'user-123', id: '42', createdAt: 1_700_000_000_000 }

test('is the same for every run of a job, and never changes', () => {
  expect(messageIdOf(job)).toBe(messageIdOf({ ...job }))
  // Pinned: a deployment that made another id out of the same job would send it twice.
  expect(messageIdOf(job)).toBe('3EB0FE7956AC7ACB8D094A')
})

test('looks like the ids that Baileys makes', () => {
  expect(messageIdOf(job)).toMatch(/^3EB0[0-9A-F]{18}$/)
})

test('differs by session, job and time, and parts cannot be shifted', () => {
  const ids = [
    messageIdOf(job),
    messageIdOf({ ...job, sessionId: 'user-1234' }),
    messageIdOf({ ...job, id: '43' }),
    messageIdOf({ ...job, createdAt: job.createdAt + 1 }),
    messageIdOf({ ...job, sessionId: 'user-12', id: '342' }),
    messageIdOf({ sessionId: 'a', id: 'b","c', createdAt: 1 }),
    messageIdOf({ sessionId: 'a","b', id: 'c', createdAt: 1 }),
  ]
  expect(new Set(ids).size).toBe(ids.length)
})
