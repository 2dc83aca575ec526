import { expect, it } from 'vitest'
import type { Arrival } from '../dev/inbox/arrival.ts'
import { until } from '../dev/stack/until.ts'
import { keys } from '../shared/keys.ts'
import { useHarness } from './stack.ts'

const use = useHarness()
const CONTACT = '6281234567890'

function toldOpen(arrivals: readonly Arrival[]): boolean {
  return arrivals.some(({ event }) => event?.event === 'connection.update' && event.data.connection === 'open')
}

/** The texts of messages that webhooks told of, in the order of their arrival. */
function texts(arrivals: readonly Arrival[]): string[] {
  return arrivals.flatMap(({ event }) =>
    event?.event === 'messages.upsert'
      ? event.data.messages.map(({ message }) => message?.['conversation'] as string)
      : [],
  )
}

it('tells of a message from WhatsApp, signed, in the shape of the contract', async () => {
  const { inbox, open, simulator } = use()
  const { phone } = await open('listening')
  const { id } = await simulator.sendText(CONTACT, phone, 'Halo bot!')
  const arrival = await inbox.wait('the message', ({ event }) => event?.event === 'messages.upsert')
  expect(arrival).toMatchObject({ answered: 204, attempt: 1, id: expect.stringMatching(/^[^.]+$/) })
  expect(arrival.event).toMatchObject({
    event: 'messages.upsert',
    sessionId: 'listening',
    timestamp: expect.closeTo(Date.now() / 1000, -2),
    data: {
      messages: [{ key: { fromMe: false, id }, message: { conversation: 'Halo bot!' }, pushName: expect.any(String) }],
      type: 'notify',
    },
  })
  expect(Object.keys(arrival.event ?? {}).sort()).toEqual(['data', 'event', 'sessionId', 'timestamp'])
})

it('delivers again, in order and under the same id, when the receiver was down', async () => {
  const { inbox, open, simulator } = use()
  const { phone } = await open('retrying')
  await until('the session to be told open', () => toldOpen(inbox.arrivals({ session: 'retrying' })))
  inbox.answerWith({ status: 503, times: 2, session: 'retrying' })
  const sent = ['satu', 'dua', 'tiga']
  for (const text of sent) await simulator.sendText(CONTACT, phone, text)
  await until('all of them', () => texts(inbox.arrivals({ session: 'retrying' })).length >= sent.length)
  expect(texts(inbox.arrivals({ session: 'retrying' }))).toEqual(sent)
  const attempts = inbox.arrivals({ session: 'retrying', all: true }).filter(({ answered }) => answered === 503)
  expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2])
  expect(new Set(attempts.map(({ id }) => id)).size).toBe(1)
  const seqs = inbox.arrivals({ session: 'retrying' }).map(({ seq }) => seq ?? 0)
  expect(seqs).toEqual(seqs.map((_, i) => i + 1))
})

it('keeps events that a worker could not deliver for the next worker', async () => {
  const { inbox, open, redis, simulator, stack } = use()
  const { phone } = await open('patient')
  await until('the session to be told open', () => toldOpen(inbox.arrivals({ session: 'patient' })))
  await inbox.down()
  await simulator.sendText(CONTACT, phone, 'tersimpan')
  await until('the event to be stored', async () => {
    const [newest] = await redis.xrevrange(keys.outbox('patient'), '+', '-', 'COUNT', 1)
    return newest?.[1].join(' ').includes('tersimpan')
  })
  await stack.workers.at(-1)?.kill()
  await inbox.up()
  await stack.startWorker()
  const told = () => texts(inbox.arrivals({ session: 'patient' }))
  await until('the event', () => told().length > 0, { timeoutMs: 40_000 })
  expect(told()).toEqual(['tersimpan'])
})

it('tells nothing that the contract does not name, unless it is asked to', async () => {
  const { api, inbox, open } = use()
  await open('plain')
  await api.waitForEnd(await api.post({ name: 'SEND_TEXT', data: { sessionId: 'plain', to: CONTACT, text: 'halo' } }))
  await api.waitForEnd(await api.post({ name: 'STOP_SESSION', data: { sessionId: 'plain' } }))
  const last = ({ event }: Arrival) =>
    event?.sessionId === 'plain' && event.event === 'connection.update' && event.data.connection === 'close'
  await inbox.wait('the close', last)
  const names = inbox.arrivals().map(({ event }) => event?.event)
  expect(names.filter(name => name !== 'messages.upsert' && name !== 'connection.update')).toEqual([])
})
