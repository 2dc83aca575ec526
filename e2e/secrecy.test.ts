import type { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { until } from '../dev/stack/until.ts'
import { keys } from '../shared/keys.ts'
import { useHarness } from './stack.ts'

const use = useHarness({ given: { worker: { LOG_LEVEL: 'trace' } } })
const CONTACT = '6281234567890'
const NOBODY = '628999000404'
const OUTBOUND = 'rahasia-keluar-7f3a91'
const INBOUND = 'rahasia-masuk-55c0de'

it('prints no secret, no key and no message, and stores no credential in the clear', async () => {
  const { api, inbox, open, output, redis, simulator, stack } = use()
  const { phone } = await open('quiet')
  // The contact asks for the message again with new keys: libsignal closes the session, and would print all of it.
  await simulator.fault({ kind: 'fail-decrypt', phone, count: 1 })
  const job = await api.post({ name: 'SEND_TEXT', data: { sessionId: 'quiet', to: CONTACT, text: OUTBOUND } })
  await api.waitForEnd(job)
  await simulator.waitForReceived(2, { chat: CONTACT })
  // Why a job failed names the number, to whoever asks for the job.
  await simulator.numbers({ unregistered: [NOBODY] })
  const failing = await api.post({ name: 'SEND_TEXT', data: { sessionId: 'quiet', to: NOBODY, text: OUTBOUND } })
  expect(await api.waitForEnd(failing)).toMatchObject({ error: { code: 'NOT_ON_WHATSAPP' } })
  await simulator.sendText(CONTACT, phone, INBOUND)
  await inbox.wait('the message', ({ event }) => event?.event === 'messages.upsert')
  const stored = await redis.hgetall(keys.credentials('quiet'))
  await api.waitForEnd(await api.post({ name: 'STOP_SESSION', data: { sessionId: 'quiet' } }))
  await open('quiet')
  await api.waitForEnd(await api.post({ name: 'DELETE_SESSION', data: { sessionId: 'quiet' } }))
  await until('the session to be gone', async () => (await api.session('quiet')) === undefined)
  await until('the events to be delivered', async () => (await redis.exists(keys.outbox('quiet'))) === 0)
  const left = await everything(redis)
  for (const personal of [phone, CONTACT, NOBODY, OUTBOUND, INBOUND]) {
    expect(left.filter(line => line.includes(personal))).toEqual([])
  }
  await stack.workers[0]?.stop()

  const qrs = inbox
    .arrivals()
    .flatMap(({ event }) => (event?.event === 'connection.update' ? (event.data.qr ?? []) : []))
  expect(qrs.length).toBeGreaterThan(0)
  const { apiKey, restToken, webhookSecret, credentialsKey } = stack.secrets
  const secrets = [apiKey, restToken, webhookSecret, webhookSecret.slice('whsec_'.length), credentialsKey, ...qrs]
  const printed = ['worker', 'edge', 'redis'].flatMap(source => output(source)).join('\n')
  expect(output('worker').length).toBeGreaterThan(3)
  for (const secret of [...secrets, OUTBOUND, INBOUND, NOBODY, 'Closing session', 'privKey', 'rootKey', 'noiseKey']) {
    expect(printed).not.toContain(secret)
  }
  // Keys of libsignal and Baileys print as Buffers when nobody stops them.
  expect(printed).not.toMatch(/<Buffer|"type":"Buffer"|Uint8Array/)

  expect(Object.keys(stored).length).toBeGreaterThan(0)
  expect(Object.keys(stored).join(' ')).not.toMatch(/\d{8}/)
  for (const value of Object.values(stored)) expect(value).not.toMatch(/private|noiseKey|"type":"Buffer"/)
})

/** All that Redis holds, a line for each key. */
async function everything(redis: Redis): Promise<string[]> {
  const readers: Record<string, (key: string) => Promise<unknown>> = {
    string: key => redis.get(key),
    list: key => redis.lrange(key, 0, -1),
    set: key => redis.smembers(key),
    zset: key => redis.call('ZRANGE', key, '0', '-1'),
    hash: key => redis.hgetall(key),
    stream: key => redis.xrange(key, '-', '+'),
  }
  return Promise.all(
    (await redis.keys('*')).map(async key => {
      const type = await redis.type(key)
      return `${key} ${JSON.stringify(await readers[type]?.(key))}`
    }),
  )
}
