import { Queue, type Job } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { until } from '../dev/stack/until.ts'
import { JOB_OPTIONS } from '../shared/contract.ts'
import { QUEUE } from '../shared/partition.ts'
import { useHarness } from './stack.ts'

const use = useHarness()
const CONTACT = '6281234567890'
let queue: Queue | undefined

/** A producer that knows nothing of us but the contract's queue. */
function producer(): Queue {
  if (queue === undefined) throw new Error('no queue yet')
  return queue
}

beforeAll(async () => {
  queue = new Queue(QUEUE, { connection: new Redis(use().stack.redis.url, { maxRetriesPerRequest: null }) })
  await use().open('foreign')
})
afterAll(() => queue?.close())

async function ended({ id = '' }: Job): Promise<Job> {
  await until(`job ${id} to fail`, () => use().redis.zscore(`bull:${QUEUE}:failed`, id))
  const job = await producer().getJob(id)
  if (job === undefined) throw new Error(`job ${id} is gone`)
  return job
}

it('runs the jobs of a BullMQ producer that knows the contract alone', async () => {
  const data = { sessionId: 'foreign', to: `${CONTACT}@s.whatsapp.net`, text: 'dari BullMQ', mention: [CONTACT] }
  const job = await producer().add('SEND_TEXT', data, { ...JOB_OPTIONS, backoff: { ...JOB_OPTIONS.backoff } })
  expect(await use().simulator.waitForReceived(1, { chat: CONTACT })).toMatchObject([{ text: 'dari BullMQ' }])
  // What it wrote in vain is told where it may look.
  const { api, stack } = use()
  const statusUrl = `${stack.edge}/v1/sessions/foreign/jobs/${job.id}`
  const ended = await api.waitForEnd({ id: job.id ?? '', name: job.name, sessionId: 'foreign', statusUrl })
  expect(ended).toMatchObject({ state: 'completed', result: { warnings: [{ path: 'data.mention' }] } })
})

const GARBAGE: [string, string, unknown][] = [
  ['an unknown name', 'DROP_TABLES', { sessionId: 'foreign' }],
  ['an empty name', '', { sessionId: 'foreign' }],
  ['no data', 'SEND_TEXT', undefined],
  ['null', 'SEND_TEXT', null],
  ['a number', 'SEND_TEXT', 42],
  ['an array', 'SEND_TEXT', [['sessionId', 'foreign']]],
  ['no session', 'SEND_TEXT', { to: CONTACT, text: 'x' }],
  ['a session that is no text', 'SEND_TEXT', { sessionId: { $gt: '' }, to: CONTACT, text: 'x' }],
  ['a session id that is a path', 'START_SESSION', { sessionId: '../../etc/passwd' }],
  ['a session id with a colon', 'START_SESSION', { sessionId: 'a:b' }],
  ['a prototype', 'SEND_TEXT', JSON.parse('{"__proto__": {"sessionId": "foreign"}, "to": "1", "text": "x"}')],
  ['a bad jid', 'SEND_TEXT', { sessionId: 'foreign', to: 'somebody', text: 'x' }],
  ['an empty text', 'SEND_TEXT', { sessionId: 'foreign', to: CONTACT, text: '' }],
  [
    'too many options',
    'SEND_POLL',
    { sessionId: 'foreign', to: CONTACT, name: 'x', options: Array.from('abcdefghijklm') },
  ],
]

it.each(GARBAGE)('fails %s with a reason', async (_what, name, data) => {
  const job = await ended(await producer().add(name, data, { attempts: 3 }))
  expect(job.failedReason).toMatch(/^INVALID_JOB: /)
  expect(job.attemptsMade).toBeLessThanOrEqual(1)
})

it('fails data that is no JSON, and goes on with the next job', async () => {
  const { redis, simulator } = use()
  const job = await producer().add('SEND_TEXT', { sessionId: 'foreign' }, { delay: 300 })
  await redis.hset(`bull:${QUEUE}:${job.id}`, 'data', '{"sessionId": "for')
  await until('the broken job to fail', async () => redis.zscore(`bull:${QUEUE}:failed`, job.id ?? ''))
  expect(await redis.hget(`bull:${QUEUE}:${job.id}`, 'failedReason')).toMatch(/^INVALID_JOB/)
  const data = { sessionId: 'foreign', to: '6281999', text: 'masih hidup' }
  await producer().add('SEND_TEXT', data)
  expect(await simulator.waitForReceived(1, { chat: '6281999' })).toMatchObject([{ text: 'masih hidup' }])
  expect(use().stack.workers[0]?.child.lines().join('\n')).not.toMatch(/uncaught|unhandled/i)
})
