import { randomBytes } from 'node:crypto'
import { BufferJSON, proto } from '@whiskeysockets/baileys'
import { expect, test } from 'vitest'
import { decodeValue, encodeValue } from './codec.ts'

const values = {
  'a privacy token': { token: randomBytes(300), timestamp: '5', senderTimestamp: undefined },
  'bytes that are part of others': { token: randomBytes(300).subarray(7, 9), timestamp: 'ü' },
  'bytes of another class': { token: new Uint8Array([1, 2, 3]) },
  'no bytes': { token: Buffer.alloc(0), senderTimestamp: 7, known: true },
  nothing: {},
  'a text': 'abc',
  'a list': ['a', 1],
  'null among the fields': { token: randomBytes(3), timestamp: null },
  'bytes further down': { version: 2, indexValueMap: { a: { valueMac: randomBytes(32) } } },
  'a protobuf message': proto.Message.AppStateSyncKeyData.fromObject({ keyData: randomBytes(32), timestamp: 5 }),
}

test.each(Object.entries(values))('%s is written as Baileys writes it, and read back', (_, value) => {
  const text = JSON.stringify(value, BufferJSON.replacer)
  const bytes = encodeValue('tctoken', value)
  expect(bytes.subarray(1).toString()).toBe(text)
  expect(decodeValue('tctoken', bytes)).toEqual(JSON.parse(text, BufferJSON.reviver))
})
