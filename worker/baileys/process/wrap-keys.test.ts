import * as crypto from 'node:crypto'
import { expect, test } from 'vitest'
import { wrapBufferKeys } from './wrap-keys.ts'

const [key, iv, data] = [crypto.randomBytes(32), crypto.randomBytes(12), crypto.randomBytes(100)]

function everything(hmacKey: crypto.BinaryLike): string[] {
  const cipher = crypto.createCipheriv('aes-256-gcm', key, iv)
  const sealed = Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()])
  const decipher = crypto.createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 })
  const opened = decipher.setAuthTag(sealed.subarray(-16)).update(sealed.subarray(0, -16))
  return [sealed, opened, crypto.createHmac('sha256', hmacKey).update(data).digest()].map(bytes =>
    bytes.toString('hex'),
  )
}

test('every operation gives what it gave before, with keys of every kind', () => {
  const keys = [key, new Uint8Array(key), 'a text', Buffer.alloc(0)]
  const before = keys.map(everything)
  const { createHmac } = crypto
  wrapBufferKeys()
  expect(keys.map(everything)).toEqual(before)
  expect(crypto.createHmac).not.toBe(createHmac)
  expect(() => crypto.createCipheriv('aes-256-gcm', key.subarray(1), iv)).toThrow('Invalid key length')
})
