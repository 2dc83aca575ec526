import { expect, test } from 'vitest'
import { jobEvent, outboxEvent, webhookEvent } from './events.ts'

const common = { sessionId: 'user-123', timestamp: 1_703_839_200 }
const message = { key: { remoteJid: '62812@s.whatsapp.net', fromMe: false, id: '3EB0' } }

test.each(['connecting', 'open', 'close'])('a connection may be %s', connection => {
  const event = { event: 'connection.update', ...common, data: { connection } }
  expect(webhookEvent.parse(event)).toEqual(event)
})

test.each(['notify', 'append'])('messages may be of type %s', type => {
  const event = { event: 'messages.upsert', ...common, data: { messages: [message], type } }
  expect(webhookEvent.parse(event)).toEqual(event)
})

test('fields of WhatsApp that the contract does not name are kept', () => {
  const more = { ...message, key: { ...message.key, participant: '1@lid' }, messageTimestamp: 5 }
  const event = { event: 'messages.upsert', ...common, data: { messages: [more], type: 'notify' } }
  expect(webhookEvent.parse(event)).toEqual(event)
})

test.each([
  [{ event: 'job.completed', ...common, data: {} }],
  [{ event: 'connection.update', ...common, data: { connection: 'closed' } }],
  [{ event: 'connection.update', ...common, timestamp: 1.5, data: { connection: 'open' } }],
  [{ event: 'connection.update', ...common, sessionId: '', data: { connection: 'open' } }],
  [{ event: 'messages.upsert', ...common, data: { messages: [{ key: { id: '3EB0' } }], type: 'notify' } }],
  [{ event: 'messages.upsert', ...common, data: { messages: [message], type: 'replace' } }],
])('what is not in the contract is no event (%#)', event => {
  expect(webhookEvent.safeParse(event).success).toBe(false)
})

const job = { jobId: '7', name: 'SEND_TEXT', attempts: 1 }
const completed = { event: 'job.completed', ...common, data: { ...job, result: { key: message.key } } }
const failed = {
  event: 'job.failed',
  ...common,
  data: { ...job, error: { code: 'NOT_ON_WHATSAPP', message: 'no such number' } },
}

test.each([completed, failed])('$event is an event of ours, and none of the contract', event => {
  expect(outboxEvent.parse(event)).toEqual(event)
  expect(jobEvent.parse(event)).toEqual(event)
  expect(webhookEvent.safeParse(event).success).toBe(false)
})

test.each([
  { ...completed, data: job },
  { ...failed, data: { ...job, error: { code: 'NEW_CODE', message: '' } } },
])('a job event tells how the job ended, by a code that is known (%#)', event => {
  expect(outboxEvent.safeParse(event).success).toBe(false)
})
