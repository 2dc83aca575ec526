import { expect, test } from 'vitest'
import { keys } from './keys.ts'
import { partitionOf, queueOf } from './partition.ts'
import { readReceipt } from './receipt.ts'
import { readSessionView, SESSION_STATES, writeSessionView, type SessionView } from './session.ts'

const full: SessionView = {
  state: 'backoff',
  jid: '6281234567890:3@s.whatsapp.net',
  lid: '103482910293847:3@lid',
  pushName: 'Budi "Toko" 👍',
  qr: '2@abc,def',
  pairingCode: 'ABCD1234',
  lastDisconnect: { statusCode: 428, reason: 'connection closed', willReconnect: true },
  updatedAt: 1_703_839_205_123,
}

test('a session view is the same after Redis', () => {
  expect(readSessionView(writeSessionView(full))).toEqual(full)
  for (const state of SESSION_STATES) {
    const view: SessionView = { state, updatedAt: 1 }
    expect(writeSessionView(view)).toEqual({ state, updatedAt: '1' })
    expect(readSessionView(writeSessionView(view))).toEqual(view)
  }
})

test('a session that is not there, or is not readable, has no view', () => {
  expect(readSessionView(null)).toBeUndefined()
  expect(readSessionView({})).toBeUndefined()
  expect(readSessionView({ updatedAt: '1' })).toBeUndefined()
  expect(readSessionView({ state: 'dancing', updatedAt: '1' })).toBeUndefined()
  expect(readSessionView({ state: 'open', updatedAt: 'soon' })).toBeUndefined()
})

test('foreign fields of a view are ignored', () => {
  expect(readSessionView({ state: 'open', updatedAt: '5', colour: 'red' })).toEqual({ state: 'open', updatedAt: 5 })
})

test('a receipt is read from its hash', () => {
  const common = { sessionId: 'a', name: 'SEND_TEXT', attempts: '2', finishedAt: '1703839205123' }
  const key = { remoteJid: '6281234567890@s.whatsapp.net', fromMe: true, id: 'ABC' }
  expect(readReceipt({ ...common, state: 'completed', result: JSON.stringify({ key }) })).toMatchObject({
    attempts: 2,
    finishedAt: 1_703_839_205_123,
    result: { key },
  })
  expect(readReceipt({ ...common, state: 'failed', code: 'ACK_TIMEOUT', message: 'no ack' })?.code).toBe('ACK_TIMEOUT')
  expect(readReceipt({ ...common, state: 'failed', code: 'WHATEVER' })).toBeUndefined()
})

test.each(['{"key":', 'null', '{"key":5}', ''])('a receipt whose result is %j is as good as none', result => {
  const hash = { sessionId: 'a', name: 'SEND_TEXT', state: 'completed', attempts: '1', finishedAt: '1', result }
  expect(readReceipt(hash)).toBeUndefined()
})

test.each(['{"statusCode":', 'null', '{"statusCode":"x"}', ''])('a view goes without a last end that is %j', end => {
  expect(readSessionView({ state: 'open', updatedAt: '1', lastDisconnect: end })).toEqual({
    state: 'open',
    updatedAt: 1,
  })
})

// These values are facts: with another one, a session's keys would be looked for where they are not.
test.each([
  ['user-123', 0, 6, 94],
  ['a', 1, 7, 199],
  ['toko.budi', 0, 0, 8],
  ['x'.repeat(64), 1, 3, 75],
])('the partition of %s never changes', (id, of2, of8, of256) => {
  expect([1, 2, 8, 256].map(partitions => partitionOf(id, partitions))).toEqual([0, of2, of8, of256])
})

test('sessions spread evenly', () => {
  for (const partitions of [2, 3, 8, 64]) {
    const counts = Array.from({ length: partitions }, () => 0)
    for (let i = 0; i < 64_000; i++)
      counts[partitionOf(`user-${i}`, partitions)] = (counts[partitionOf(`user-${i}`, partitions)] ?? 0) + 1
    const fair = 64_000 / partitions
    expect(Math.min(...counts)).toBeGreaterThan(fair * 0.85)
    expect(Math.max(...counts)).toBeLessThan(fair * 1.15)
  }
})

test('partition 0 has the queue of the contract', () => {
  expect(queueOf(0)).toBe('whatsapp-jobs')
  expect(queueOf(7)).toBe('whatsapp-jobs-7')
})

test('no two keys meet, whatever the session is called', () => {
  const names = ['a', 'b', '0', '1', 'times', 'a.times']
  const all = Object.values(keys).flatMap(key => {
    if (typeof key === 'string') return [key]
    if (key === keys.receipt) return names.map(name => keys.receipt('whatsapp-jobs', name))
    return names.map(name => (key as (part: string) => string)(name))
  })
  expect(new Set(all).size).toBe(all.length)
  for (const key of all) expect(key).toMatch(/^kurir:/)
})
