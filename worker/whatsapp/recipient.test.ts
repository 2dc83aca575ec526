import { expect, test } from 'vitest'
import { findRecipient, type Directory } from './recipient.ts'

type Answer = Awaited<ReturnType<Directory['sock']['onWhatsApp']>>

const OWN = ['628111111111@s.whatsapp.net']
const BRAZIL = '5511987654321@s.whatsapp.net'

function directory(hasDevices: boolean, answer?: Answer) {
  const asked: string[] = []
  const found: Directory = {
    devices: {
      address: async jid => ({ jid }),
      async find(jids) {
        asked.push(`devices ${jids.join()}`)
        return new Set(hasDevices ? jids : OWN)
      },
    },
    sock: {
      async onWhatsApp(...jids) {
        asked.push(`number ${jids.join()}`)
        return answer
      },
    },
  }
  return { found, asked }
}

test('takes a number with devices as it is, and asks for our own phone in the same request', async () => {
  const { found, asked } = directory(true)
  expect(await findRecipient(found, BRAZIL, OWN)).toBe(BRAZIL)
  expect(asked).toEqual([`devices ${[BRAZIL, ...OWN].join()}`])
})

test.each(['120363@g.us', '900000000001@lid', '1234@newsletter', 'status@broadcast'])(
  'asks nothing for %s',
  async jid => {
    const { found, asked } = directory(false)
    expect(await findRecipient(found, jid, OWN)).toBe(jid)
    expect(asked).toEqual([])
  },
)

test('takes the spelling that WhatsApp knows', async () => {
  const { found } = directory(false, [{ jid: '551187654321@s.whatsapp.net', exists: true }])
  expect(await findRecipient(found, BRAZIL, OWN)).toBe('551187654321@s.whatsapp.net')
})

test.each<[string, Answer, object]>([
  ['no such number', [], { code: 'NOT_ON_WHATSAPP', retry: 'never' }],
  ['a number without WhatsApp', [{ jid: BRAZIL, exists: false }], { code: 'NOT_ON_WHATSAPP', retry: 'never' }],
  ['no answer in time', undefined, { code: 'ACK_TIMEOUT', retry: 'backoff' }],
])('fails for %s', async (_what, answer, failure) => {
  await expect(findRecipient(directory(false, answer).found, BRAZIL, OWN)).rejects.toMatchObject(failure)
})
