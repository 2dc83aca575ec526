import { EventEmitter } from 'node:events'
import type { WASocket } from '@whiskeysockets/baileys'
import { expect, test } from 'vitest'
import { followAcks } from './acks.ts'

function frames() {
  const emitter = new EventEmitter()
  const ack = (attrs: Record<string, string>) => emitter.emit('CB:ack,class:message', { tag: 'ack', attrs })
  return { ws: emitter as unknown as WASocket['ws'], ack, emitter }
}

test('resolves on the ack, whether it comes before or after the write returned', async () => {
  const { ws, ack } = frames()
  const acks = followAcks(ws)
  const early = acks.expect('A')
  ack({ class: 'message', id: 'A' })
  await expect(early.wait()).resolves.toBeUndefined()
  const late = acks.expect('B')
  const waiting = late.wait()
  ack({ class: 'message', id: 'B' })
  await expect(waiting).resolves.toBeUndefined()
  acks.close()
})

test('an error ack fails with its code, and only the message that it names', async () => {
  const { ws, ack } = frames()
  const acks = followAcks(ws)
  const first = acks.expect('A').wait()
  const second = acks.expect('B').wait()
  ack({ id: 'A', error: '463' })
  ack({ id: 'B' })
  await expect(first).rejects.toMatchObject({
    code: 'WHATSAPP_REFUSED',
    retry: 'never',
    message: expect.stringMatching(/^463 /),
  })
  await expect(second).resolves.toBeUndefined()
  acks.close()
})

test.each([
  ['479', 'never', /^479 /],
  ['500', 'backoff', /^500 /],
  ['429', 'backoff', /^429 /],
  ['999', 'never', /^999 refused$/],
  ['constructor', 'never', /^constructor refused$/],
  ['bad code\n', 'never', /^unknown refused$/],
])('error %j: %s', async (error, retry, message) => {
  const { ws, ack } = frames()
  const acks = followAcks(ws)
  const waiting = acks.expect('A').wait()
  ack({ id: 'A', error })
  await expect(waiting).rejects.toMatchObject({ retry, message: expect.stringMatching(message) })
  acks.close()
})

test('no ack in time is tried again', async () => {
  const { ws } = frames()
  const acks = followAcks(ws, 5)
  await expect(acks.expect('A').wait()).rejects.toMatchObject({ code: 'ACK_TIMEOUT', retry: 'backoff' })
  acks.close()
})

test('a closed socket makes the job wait, also one that asks later', async () => {
  const { ws, emitter } = frames()
  const acks = followAcks(ws)
  const waiting = acks.expect('A').wait()
  acks.close()
  acks.close()
  await expect(waiting).rejects.toMatchObject({ retry: 'wait' })
  await expect(acks.expect('B').wait()).rejects.toMatchObject({ retry: 'wait' })
  expect(emitter.eventNames()).toEqual([])
})

test('an ack that was there before the socket closed counts', async () => {
  const { ws, ack } = frames()
  const acks = followAcks(ws)
  const pending = acks.expect('A')
  ack({ id: 'A' })
  acks.close()
  await expect(pending.wait()).resolves.toBeUndefined()
})

test('a dropped one is forgotten', async () => {
  const { ws, ack } = frames()
  const acks = followAcks(ws, 5)
  const pending = acks.expect('A')
  pending.drop()
  ack({ id: 'A' })
  await expect(pending.wait()).rejects.toMatchObject({ code: 'ACK_TIMEOUT' })
  acks.close()
})
