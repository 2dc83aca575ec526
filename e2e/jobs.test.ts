import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JobResult } from '../shared/receipt.ts'
import type { PostedJob } from './api.ts'
import { freePort } from '../dev/stack/ports.ts'
import { silentOpus } from '../dev/testing/sounds.ts'
import { useHarness } from './stack.ts'

const SESSION = 'shop-1'
const CONTACT = '6281234567890'
const CONTACT_JID = `${CONTACT}@s.whatsapp.net`
const port = await freePort()
const use = useHarness({ given: { worker: { ALLOW_PRIVATE_HOSTS: `127.0.0.1:${port}` } } })
let image = Buffer.alloc(0)
const mediaUrl = `http://127.0.0.1:${port}/image.png`
const media = createServer((request, response) => {
  response.writeHead(request.url === '/image.png' ? 200 : 404, { 'content-type': 'image/png' }).end(image)
})

beforeAll(async () => {
  image = await sharp({ create: { width: 64, height: 48, channels: 3, background: '#25d366' } })
    .png()
    .toBuffer()
  await new Promise<void>(resolve => media.listen(port, '127.0.0.1', resolve))
  await use().open(SESSION)
})
afterAll(() => new Promise(resolve => media.close(resolve)))

/** Posts a job over HTTP and returns its result. */
async function run(name: string, data: Record<string, unknown>): Promise<JobResult> {
  const { api } = use()
  const status = await api.waitForEnd(await api.post({ name, data: { sessionId: SESSION, ...data } }))
  expect(status).toMatchObject({ name, state: 'completed', attempts: 1 })
  return status.result ?? {}
}

/** Runs a job that sends, and returns what the simulated WhatsApp received, decrypted. */
async function send(name: string, data: Record<string, unknown>) {
  const { key } = await run(name, { to: CONTACT, ...data })
  const [received] = await use().simulator.waitForReceived(1, { id: key?.id ?? 'no message key in the result' })
  expect(received).toMatchObject({ id: key?.id, duplicate: false })
  expect(received?.opened.every(({ ok }) => ok)).toBe(true)
  expect(key).toMatchObject({ fromMe: true, remoteJid: data['to'] ?? CONTACT_JID })
  return received
}

/** The message inside the wrappers that WhatsApp puts around some kinds. */
function content(received: Awaited<ReturnType<typeof send>>, kind: string): Record<string, unknown> {
  const message = received?.message ?? {}
  expect(Object.keys(message)).toContain(kind)
  return message[kind] as Record<string, unknown>
}

describe('SEND_TEXT', () => {
  it('reaches the contact as it was posted', async () => {
    const text = 'Halo, ini pesan dari API! 👋\nBaris kedua'
    expect(await send('SEND_TEXT', { text })).toMatchObject({ text, chatPhone: CONTACT })
  })

  it('mentions people', async () => {
    const received = await send('SEND_TEXT', { text: 'Halo @628987654321', mentions: ['628987654321@s.whatsapp.net'] })
    expect(content(received, 'extendedTextMessage')).toMatchObject({
      contextInfo: { mentionedJid: ['628987654321@s.whatsapp.net'] },
    })
  })
})

describe('a job that expires', () => {
  it('is not sent after its time, and is sent before', async () => {
    const { api, simulator } = use()
    const expiring = async (text: string, expiresAt: number) => {
      const data = { sessionId: SESSION, to: CONTACT, text }
      return api.waitForEnd(await api.post({ name: 'SEND_TEXT', data, opts: { expiresAt } }))
    }
    expect(await expiring('terlambat', Date.now() - 1)).toMatchObject({
      state: 'failed',
      error: { code: 'JOB_EXPIRED' },
    })
    expect(await expiring('tepat waktu', Date.now() + 60_000)).toMatchObject({ state: 'completed' })
    const texts = (await simulator.received()).map(({ text }) => text)
    expect(texts).toContain('tepat waktu')
    expect(texts).not.toContain('terlambat')
  })
})

describe('SEND_MEDIA', () => {
  const sha256 = (bytes = image) => createHash('sha256').update(bytes).digest('hex')

  it('sends an image from a URL, with its caption', async () => {
    const received = await send('SEND_MEDIA', { type: 'image', media: mediaUrl, caption: 'Lihat gambar ini!' })
    expect(received).toMatchObject({ text: 'Lihat gambar ini!', media: { kind: 'image', sha256: sha256() } })
  })

  it('sends a document from base64, with its name', async () => {
    const pdf = Buffer.from('%PDF-1.7 and so on')
    const received = await send('SEND_MEDIA', {
      type: 'document',
      media: pdf.toString('base64'),
      fileName: 'invoice.pdf',
      mimetype: 'application/pdf',
      ptt: false,
    })
    const { media } = received ?? {}
    expect(media).toMatchObject({ kind: 'document', sha256: sha256(pdf), mimetype: 'application/pdf' })
  })

  it('sends a voice note', async () => {
    const audio = `data:audio/ogg;base64,${silentOpus(1).toString('base64')}`
    const received = await send('SEND_MEDIA', { type: 'audio', media: audio, ptt: true })
    expect(content(received, 'audioMessage')).toMatchObject({ ptt: true })
  })

  it('turns an image into a sticker', async () => {
    const received = await send('SEND_MEDIA', { type: 'sticker', media: image.toString('base64') })
    expect(received?.media).toMatchObject({ kind: 'sticker', mimetype: 'image/webp' })
  })

  it('fails with a code when the URL answers 404', async () => {
    const { api } = use()
    const missing = { sessionId: SESSION, to: CONTACT, type: 'image', media: mediaUrl.replace('image', 'missing') }
    const job = await api.post({ name: 'SEND_MEDIA', data: missing })
    expect(await api.waitForEnd(job)).toMatchObject({ state: 'failed', error: { code: 'MEDIA_FETCH_FAILED' } })
  })
})

describe('SEND_POLL', () => {
  it('asks with options', async () => {
    const options = ['Senin', 'Selasa', 'Rabu']
    const received = await send('SEND_POLL', { name: 'Kapan kita meeting?', options, selectableCount: 1 })
    const kind = Object.keys(received?.message ?? {}).find(key => key.startsWith('pollCreationMessage')) ?? ''
    expect(content(received, kind)).toMatchObject({
      name: 'Kapan kita meeting?',
      options: options.map(optionName => ({ optionName })),
      selectableOptionsCount: 1,
    })
  })
})

describe('SEND_REACTION and SEND_REPLY', () => {
  const key = { remoteJid: CONTACT_JID, fromMe: false, id: 'BAE5F00DF00DF00D' }

  it.each(['👍', ''])('reacts with %j', async emoji => {
    const received = await send('SEND_REACTION', { key, emoji })
    expect(content(received, 'reactionMessage')).toMatchObject({ key: { id: key.id }, text: emoji })
  })

  it('quotes a message with and without its content', async () => {
    for (const quoted of [{ key }, { key, message: { conversation: 'Setuju?' } }]) {
      const received = await send('SEND_REPLY', { text: 'Saya setuju dengan ini.', quoted })
      expect(content(received, 'extendedTextMessage')).toMatchObject({
        text: 'Saya setuju dengan ini.',
        contextInfo: { stanzaId: key.id },
      })
    }
  })
})

describe('groups', () => {
  it('creates one, writes to it, and manages its participants', async () => {
    const { groupJid } = await run('GROUP_CREATE', { subject: 'Tim Developer', participants: [CONTACT_JID] })
    expect(groupJid).toMatch(/@g\.us$/)
    const received = await send('SEND_TEXT', { to: groupJid, text: 'Halo tim' })
    expect(received).toMatchObject({ text: 'Halo tim', chat: groupJid })
    for (const action of ['add', 'promote', 'demote', 'remove']) {
      const participants = ['628555555555@s.whatsapp.net']
      const result = await run('GROUP_UPDATE_PARTICIPANTS', { jid: groupJid, action, participants })
      expect(result.participants).toMatchObject([{ status: '200' }])
    }
  })
})

it('takes every job of a batch, in order', async () => {
  const { api, simulator } = use()
  const before = (await simulator.received({ limit: 100_000 })).at(-1)?.index ?? 0
  const texts = Array.from({ length: 20 }, (_, i) => `urut ${i}`)
  const jobs: PostedJob[] = texts.map(text => ({ name: 'SEND_TEXT', data: { sessionId: SESSION, to: CONTACT, text } }))
  await Promise.all((await api.postAll(jobs)).map(job => api.waitForEnd(job)))
  const received = await simulator.waitForReceived(texts.length, { since: before, chat: CONTACT })
  expect(received.map(({ text }) => text)).toEqual(texts)
})
