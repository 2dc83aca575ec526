import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CipherKeyError, createCipher, UnreadableError, type Place } from './cipher.ts'

const key = () => randomBytes(32).toString('base64')
const place: Place = { sessionId: 'user-123', type: 'session', id: '628@s.whatsapp.net' }
const plain = Buffer.from('a ratchet')

describe('the cipher of credentials', () => {
  it('reads what it wrote, and never writes the same bytes twice', () => {
    const cipher = createCipher([key()])
    const first = cipher.encrypt(plain, place)
    expect(cipher.decrypt(first, place)).toEqual(plain)
    expect(cipher.encrypt(plain, place)).not.toEqual(first)
    expect(first.includes(plain)).toBe(false)
  })

  it.each([
    { ...place, sessionId: 'user-124' },
    { ...place, type: 'sender-key' },
    { ...place, id: '629@s.whatsapp.net' },
    { sessionId: 'user-123|session', type: '', id: place.id },
  ])('refuses a value that was moved to $sessionId $type $id', moved => {
    const cipher = createCipher([key()])
    expect(() => cipher.decrypt(cipher.encrypt(plain, place), moved)).toThrow(UnreadableError)
  })

  it('refuses a change of any byte, and anything cut short', () => {
    const cipher = createCipher([key()])
    const envelope = cipher.encrypt(plain, place)
    for (let i = 0; i < envelope.length; i++) {
      const changed = Buffer.from(envelope)
      changed[i] = (changed[i] ?? 0) ^ 1
      expect(() => cipher.decrypt(changed, place)).toThrow(UnreadableError)
      expect(() => cipher.decrypt(envelope.subarray(0, i), place)).toThrow(UnreadableError)
    }
  })

  it('rotates: the first key encrypts, every given key decrypts', () => {
    const [old, next] = [key(), key()]
    const before = createCipher([old]).encrypt(plain, place)
    const rotating = createCipher([next, old])
    expect(rotating.decrypt(before, place)).toEqual(plain)
    const after = rotating.encrypt(plain, place)
    expect(createCipher([next]).decrypt(after, place)).toEqual(plain)
    expect(() => createCipher([old]).decrypt(after, place)).toThrow(UnreadableError)
  })

  it.each([
    [],
    [''],
    ['short'],
    [randomBytes(31).toString('base64')],
    [`${key()}\n`],
    [randomBytes(32).toString('hex')],
  ])('refuses %j as keys', (...keys) => {
    expect(() => createCipher(keys)).toThrow(CipherKeyError)
  })

  it('does not repeat a bad key in its error', () => {
    const bad = randomBytes(31).toString('base64')
    expect(() => createCipher([bad])).not.toThrow(bad)
  })
})
