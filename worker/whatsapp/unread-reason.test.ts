import { expect, test } from 'vitest'
import { reasonOf, reasonOfEmpty } from './unread-reason.ts'

test.each([
  ['No session record', 'no_session'],
  ['No matching sessions found for message', 'no_session'],
  ['Invalid PreKey ID', 'no_session'],
  ['No SenderKeyRecord found for decryption', 'no_sender_key'],
  ['No session found to decrypt message', 'no_sender_key'],
  ['Bad MAC', 'bad_mac'],
  ['Key used already or never filled', 'key_used'],
  ['Received message with old counter: 3, 1', 'key_used'],
  ['invalid wire type 7 at offset 3', 'malformed'],
  ['something new', 'unknown'],
])('%s is %s', (message, reason) => {
  expect(reasonOf(new Error(message))).toBe(reason)
})

const stanza = (...content: { tag: string; attrs: Record<string, string>; content?: Uint8Array }[]) => ({
  tag: 'message',
  attrs: {},
  content,
})

test('a message with something to decrypt is not empty', () => {
  const enc = { tag: 'enc', attrs: { type: 'msg' }, content: Buffer.from('x') }
  expect(reasonOfEmpty(stanza(enc, { tag: 'unavailable', attrs: { type: 'view_once' } }))).toBeUndefined()
  expect(reasonOfEmpty(stanza())).toBe('phone_only')
  expect(reasonOfEmpty(stanza({ tag: 'unavailable', attrs: { type: 'invented' } }))).toBe('phone_only')
})
