import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../dev/stack/until.ts'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'
import { addressOf } from './addressing.ts'

let session: TestSession
beforeAll(async () => {
  session = await startTestSession()
})
afterAll(async () => session[Symbol.asyncDispose]())
afterEach(async () => session.control.settings({ lidOnly: false }))

const jidOf = (phone: string) => `${phone}@s.whatsapp.net`

describe('a text to the number of a contact that WhatsApp knows by LID', () => {
  it('goes to the LID, with the number, and the result has the number', async () => {
    await session.control.settings({ lidOnly: true })
    const { seen, result } = await session.arrives('SEND_TEXT', { to: '628990000001', text: 'hello' })
    expect(seen.chat).toMatch(/@lid$/)
    expect(seen.attrs['peer_recipient_pn']).toBe(jidOf('628990000001'))
    expect(seen.chatPhone).toBe('628990000001')
    expect(result.key).toMatchObject({ remoteJid: jidOf('628990000001'), fromMe: true })
  })

  it('and a reply and a reaction to it go there, too', async () => {
    await session.control.settings({ lidOnly: true })
    const to = jidOf('628990000001')
    const key = { remoteJid: to, fromMe: false, id: '3EB0AA' }
    for (const [name, data] of [
      ['SEND_REPLY', { to, text: 'yes', quoted: { key } }],
      ['SEND_REACTION', { to, key, emoji: '👍' }],
    ] as const) {
      const { seen } = await session.arrives(name, data)
      expect(seen.chat).toMatch(/@lid$/)
    }
  })

  it('has the same id and place in its Signal session after a restart', async () => {
    await session.control.settings({ lidOnly: true })
    const once = await session.arrives('SEND_TEXT', { to: '628990000001', text: 'again' }, 'order-7')
    await session.restart()
    const twice = await session.run('SEND_TEXT', { to: '628990000001', text: 'again' }, { id: 'order-7' })
    expect(twice.key).toEqual(once.result.key)
  })
})

it('goes to the number of a contact whose LID nobody is told', async () => {
  await session.control.numbers({ withoutLid: ['628990000002'] })
  // Baileys fetches keys of LIDs alone, so such a contact has to write first.
  await session.control.sendText('628990000002', session.phone, 'first')
  await until('its text', () => session.events.length > 0)
  await session.control.settings({ lidOnly: true })
  const { seen } = await session.arrives('SEND_TEXT', { to: '628990000002', text: 'hello' })
  expect(seen.chat).toBe(jidOf('628990000002'))
  expect(seen.attrs['peer_recipient_pn']).toBeUndefined()
})

it('is tried once more, and no more, when WhatsApp takes the recipient for a stranger', async () => {
  await session.control.fault({ kind: 'error-ack', code: 463, phone: session.phone, count: 2 })
  const run = async (attempt: number) =>
    session.run('SEND_TEXT', { to: '628990000003', text: 'x' }, { id: 'o', attempt })
  await expect(run(1)).rejects.toMatchObject({ code: 'WHATSAPP_REFUSED', retry: 'backoff' })
  await expect(run(2)).rejects.toMatchObject({ code: 'WHATSAPP_REFUSED', retry: 'never' })
})

describe('an address', () => {
  const sock = (names: Record<string, string>) => ({
    authState: { keys: { get: async () => names as never, set: async () => {} } },
  })

  it('is the number where the operator wants it', async () => {
    expect(await addressOf(sock({ '628': '900' }), jidOf('628'), 'pn')).toEqual({ jid: jidOf('628') })
  })

  it('of a LID has the number along, where it is known', async () => {
    expect(await addressOf(sock({ '900_reverse': '628' }), '900@lid', 'lid')).toEqual({
      jid: '900@lid',
      attributes: { peer_recipient_pn: jidOf('628') },
    })
    expect(await addressOf(sock({}), '900@lid', 'lid')).toEqual({ jid: '900@lid' })
  })

  it.each(['120363@g.us', 'status@broadcast', '1234@newsletter'])('of %s is itself', async jid => {
    expect(await addressOf(sock({}), jid, 'lid')).toEqual({ jid })
  })
})
