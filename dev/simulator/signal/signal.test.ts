import { describe, expect, it } from 'vitest'
import { createParty } from './party.ts'
import { createSender, readSenderKeyHeader, receiverFrom } from './sender-keys.ts'
import { readHeader } from './session.ts'

const text = (value: string): Buffer => Buffer.from(value)

describe('party', () => {
  it('talks both ways, out of order, and never accepts a counter twice', () => {
    const alice = createParty()
    const bob = createParty()
    alice.start('bob', bob.bundle())
    const first = alice.encrypt('bob', text('one'))
    const second = alice.encrypt('bob', text('two'))
    expect(first.type).toBe('pkmsg')
    expect(bob.decrypt('alice', second.type, second.ciphertext).toString()).toBe('two')
    expect(bob.decrypt('alice', first.type, first.ciphertext).toString()).toBe('one')
    expect(() => bob.decrypt('alice', first.type, first.ciphertext)).toThrow('used already')
    expect(readHeader('pkmsg', second.ciphertext)).toMatchObject({ counter: 1 })

    for (let round = 0; round < 3; round++) {
      const answer = bob.encrypt('alice', text(`answer ${round}`))
      expect(answer.type).toBe('msg')
      expect(alice.decrypt('bob', answer.type, answer.ciphertext).toString()).toBe(`answer ${round}`)
      const next = alice.encrypt('bob', text(`next ${round}`))
      expect(next.type).toBe('msg')
      expect(bob.decrypt('alice', next.type, next.ciphertext).toString()).toBe(`next ${round}`)
    }
  })

  it('refuses a changed byte and keeps working afterwards', () => {
    const alice = createParty()
    const bob = createParty()
    alice.start('bob', bob.bundle())
    const good = alice.encrypt('bob', text('one'))
    bob.decrypt('alice', good.type, good.ciphertext)
    const answer = bob.encrypt('alice', text('two'))
    const forged = Buffer.from(answer.ciphertext)
    forged[forged.length - 12] = (forged[forged.length - 12] ?? 0) ^ 1
    expect(() => alice.decrypt('bob', 'msg', forged)).toThrow('bad message mac')
    expect(alice.decrypt('bob', 'msg', answer.ciphertext).toString()).toBe('two')
  })

  it('refuses a bundle whose signed prekey is forged', () => {
    const bundle = createParty().bundle()
    const forged = { ...bundle, signedPreKey: { ...bundle.signedPreKey, signature: Buffer.alloc(64, 1) } }
    expect(() => createParty().start('bob', forged)).toThrow('bad signature')
  })
})

describe('sender keys', () => {
  it('reads skipped iterations once', () => {
    const sender = createSender()
    const receiver = receiverFrom(sender.distribution())
    const [one, two] = [sender.encrypt(text('one')), sender.encrypt(text('two'))]
    expect(receiver.decrypt(two).toString()).toBe('two')
    expect(receiver.decrypt(one).toString()).toBe('one')
    expect(() => receiver.decrypt(one)).toThrow('used already')
    expect(readSenderKeyHeader(two)).toMatchObject({ iteration: 1 })
  })
})
