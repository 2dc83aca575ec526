import { expect, test } from 'vitest'
import { findRecipient, type Directory } from './recipient.ts'

type Devices = Awaited<ReturnType<Directory['getUSyncDevices']>>
type Answer = Awaited<ReturnType<Directory['onWhatsApp']>>

const BRAZIL = '5511987654321@s.whatsapp.net'

function directory(devices: number, answer?: Answer) {
  const asked: string[] = []
  const found: Directory = {
    getUSyncDevices: async ([jid = '']) => {
      asked.push(`devices ${jid}`)
      return Array.from({ length: devices }, () => ({ user: jid })) as Devices
    },
    onWhatsApp: async (...jids) => {
      asked.push(`number ${jids.join()}`)
      return answer
    },
  }
  return { found, asked }
}

test('takes a number with devices as it is, at no more than the request that Baileys makes anyway', async () => {
  const { found, asked } = directory(2)
  expect(await findRecipient(found, BRAZIL)).toBe(BRAZIL)
  expect(asked).toEqual([`devices ${BRAZIL}`])
})

test.each(['120363@g.us', '900000000001@lid', '1234@newsletter', 'status@broadcast'])(
  'asks nothing for %s',
  async jid => {
    const { found, asked } = directory(0)
    expect(await findRecipient(found, jid)).toBe(jid)
    expect(asked).toEqual([])
  },
)

test('takes the spelling that WhatsApp knows', async () => {
  const { found } = directory(0, [{ jid: '551187654321@s.whatsapp.net', exists: true }])
  expect(await findRecipient(found, BRAZIL)).toBe('551187654321@s.whatsapp.net')
})

test.each<[string, Answer, object]>([
  ['no such number', [], { code: 'NOT_ON_WHATSAPP', retry: 'never' }],
  ['a number without WhatsApp', [{ jid: BRAZIL, exists: false }], { code: 'NOT_ON_WHATSAPP', retry: 'never' }],
  ['no answer in time', undefined, { code: 'ACK_TIMEOUT', retry: 'backoff' }],
])('fails for %s', async (_what, answer, failure) => {
  await expect(findRecipient(directory(0, answer).found, BRAZIL)).rejects.toMatchObject(failure)
})
