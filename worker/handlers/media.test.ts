import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'
import { silentOpus, wav } from '../../dev/testing/sounds.ts'
import type { SessionJobName } from './handler.ts'
import { findFfmpeg } from '../whatsapp/media/decoder/ffmpeg.ts'

const BUDI = '628999000001'
const jid = (phone: string) => `${phone}@s.whatsapp.net`
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

let session: TestSession
let files: Server
let origin: string
let served: { bytes: Uint8Array; type?: string; status?: number; disposition?: string } = { bytes: Buffer.alloc(0) }
let fetches = 0
// Of this file alone, so that what others leave in the common one says nothing here. Baileys' files are in it too.
const folder = mkdtempSync(join(tmpdir(), 'kurir-test-'))
process.env['TMPDIR'] = folder

beforeAll(async () => {
  files = createServer((_request, response) => {
    fetches += 1
    if (served.type !== undefined) response.setHeader('content-type', served.type)
    if (served.disposition !== undefined) response.setHeader('content-disposition', served.disposition)
    response.writeHead(served.status ?? 200)
    response.end(served.bytes)
  })
  await new Promise<void>(resolve => files.listen(0, '127.0.0.1', resolve))
  const { port } = files.address() as AddressInfo
  origin = `http://127.0.0.1:${port}`
  session = await startTestSession({ allowHosts: new Set([`127.0.0.1:${port}`]) })
})
afterAll(async () => {
  await session[Symbol.asyncDispose]()
  files.close()
  rmSync(folder, { recursive: true })
})

const arrives = async (name: SessionJobName, data: Record<string, unknown>, id?: string) =>
  session.arrives(name, data, id)

describe('media', () => {
  const document = Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(299_991)])
  let photo: Buffer
  let picture: Buffer

  beforeAll(async () => {
    const blank = { width: 300, height: 200, channels: 4, background: { r: 200, g: 40, b: 40, alpha: 0.5 } } as const
    photo = await sharp({ create: blank }).jpeg().toBuffer()
    picture = await sharp({ create: blank }).png().toBuffer()
  })
  beforeEach(() => {
    served = { bytes: photo, type: 'image/jpeg' }
  })

  const send = async (data: Record<string, unknown>, id?: string) =>
    arrives('SEND_MEDIA', { to: jid(BUDI), ...data }, id)

  test('a document by URL, named after it', async () => {
    served = { bytes: document, type: 'application/pdf' }
    const { seen, message } = await send({
      type: 'document',
      media: `${origin}/files/invoice%201.pdf?token=1`,
      caption: 'pay',
    })
    expect(seen.media).toMatchObject({ sha256: sha256(document), bytes: 300_000 })
    expect(message['documentMessage']).toMatchObject({
      fileName: 'invoice 1.pdf',
      mimetype: 'application/pdf',
      caption: 'pay',
    })
  })

  test('a document is called what the response calls it, with an ending that fits its bytes', async () => {
    const disposition = `attachment; filename="x.bin"; filename*=UTF-8''tagihan%20%E2%82%AC.docx`
    served = { bytes: document, type: 'application/octet-stream', disposition }
    const { message } = await send({ type: 'document', media: `${origin}/download.php` })
    expect(message['documentMessage']).toMatchObject({ fileName: 'tagihan €.pdf', mimetype: 'application/pdf' })
  })

  test("an image by URL, with the contract's fields that do not belong to one", async () => {
    const fields = { caption: 'Lihat gambar ini!', fileName: 'invoice.pdf', mimetype: 'application/pdf', ptt: false }
    const { seen, message } = await send({ type: 'image', media: `${origin}/image.jpg`, ...fields })
    expect(seen.media).toMatchObject({ kind: 'image', sha256: sha256(photo) })
    expect(message['imageMessage']).toMatchObject({
      caption: 'Lihat gambar ini!',
      mimetype: 'image/jpeg',
      width: 300,
      height: 200,
    })
    expect(message['imageMessage']?.['jpegThumbnail']).toBeDefined()
  })

  test('an image as base64 and as a data URI', async () => {
    const plain = await send({ type: 'image', media: picture.toString('base64') })
    expect(plain.seen.media).toMatchObject({ sha256: sha256(picture) })
    expect(plain.message['imageMessage']).toMatchObject({ mimetype: 'image/png' })
    const uri = await send({ type: 'image', media: `data:image/png;base64,${picture.toString('base64')}` })
    expect(uri.seen.media).toMatchObject({ sha256: sha256(picture) })
  })

  test('a voice note is Opus, whatever the server says', async () => {
    served = { bytes: silentOpus(2), type: 'application/octet-stream' }
    const { message, seen } = await send({ type: 'audio', media: `${origin}/note`, ptt: true, caption: 'ignored' })
    expect(message['audioMessage']).toMatchObject({ ptt: true, mimetype: 'audio/ogg; codecs=opus', seconds: 2 })
    expect(JSON.stringify(message)).not.toContain('ignored')
    expect(seen.media).toMatchObject({ sha256: sha256(served.bytes) })
  })

  test('a recording has its length', async () => {
    const { message } = await send({ type: 'audio', media: wav(3).toString('base64') })
    expect(message['audioMessage']).toMatchObject({ seconds: 3 })
    expect(message['audioMessage']?.['ptt'] ?? false).toBe(false)
  })

  test.skipIf(findFfmpeg(process.env['PATH']) === undefined)(
    'a voice note has its length and its waveform',
    async () => {
      const { message } = await send({ type: 'audio', ptt: true, media: wav(1, 1).toString('base64') })
      const { waveform, ...audio } = message['audioMessage'] ?? {}
      expect(audio).toMatchObject({ ptt: true, seconds: 2, mimetype: 'audio/ogg; codecs=opus' })
      const bars = [...Buffer.from(String(waveform), 'base64')]
      expect(bars).toHaveLength(64)
      expect(Math.max(...bars.slice(0, 30))).toBeLessThan(20)
      expect(Math.min(...bars.slice(34, 60))).toBeGreaterThan(50)
    },
  )

  test.skipIf(findFfmpeg(process.env['PATH']) === undefined)('a GIF that moves is a video that loops', async () => {
    const { message } = await send({ type: 'image', media: (await movingGif()).toString('base64'), caption: 'hore' })
    expect(message['videoMessage']).toMatchObject({ gifPlayback: true, mimetype: 'video/mp4', caption: 'hore' })
  })

  test('a sticker is made of any image', async () => {
    const { message, seen } = await send({ type: 'sticker', media: picture.toString('base64'), mimetype: 'image/png' })
    expect(message['stickerMessage']).toMatchObject({ mimetype: 'image/webp', width: 512, height: 512 })
    expect(message['stickerMessage']?.['isAnimated'] ?? false).toBe(false)
    expect(seen.media).not.toMatchObject({ sha256: sha256(picture) })
  })

  test('a sticker that is one already goes as it is', async () => {
    const blank = { width: 512, height: 512, channels: 4, background: '#0000' } as const
    const webp = await sharp({ create: blank }).webp().toBuffer()
    const { seen } = await send({ type: 'sticker', media: webp.toString('base64') })
    expect(seen.media).toMatchObject({ sha256: sha256(webp) })
  })

  test('a GIF makes a sticker that moves', async () => {
    const { message } = await send({ type: 'sticker', media: (await movingGif()).toString('base64') })
    expect(message['stickerMessage']).toMatchObject({ isAnimated: true, mimetype: 'image/webp' })
  })

  test.each([
    ['a sticker of something else', { type: 'sticker', media: Buffer.from('not an image').toString('base64') }],
    ['bytes that nobody knows as a picture', { type: 'image', media: Buffer.alloc(99, 1).toString('base64') }],
    ['bytes that nobody knows as a video', { type: 'video', media: Buffer.alloc(99, 1).toString('base64') }],
    ['bytes that nobody knows as a recording', { type: 'audio', media: Buffer.alloc(99, 1).toString('base64') }],
    ['an SVG in disguise', { type: 'image', media: Buffer.from('\ufeff<!DOCTYPE svg><svg/>').toString('base64') }],
    ['a page for a picture', { type: 'image', media: Buffer.from('<!DOCTYPE html><html>').toString('base64') }],
    ['a page for a PDF', { type: 'document', fileName: 'a.pdf', media: Buffer.from('<html>').toString('base64') }],
    ['a PDF for a video', { type: 'video', media: Buffer.from('%PDF-1.7 and so on').toString('base64') }],
  ])('refuses %s', async (_what, data) => {
    const sending = session.run('SEND_MEDIA', { to: jid(BUDI), ...data })
    await expect(sending).rejects.toMatchObject({ code: 'MEDIA_UNREADABLE', retry: 'never' })
  })

  test.each([
    [404, 'never'],
    [500, 'backoff'],
  ])('a URL that answers %i fails: %s', async (status, retry) => {
    served = { bytes: Buffer.from('no'), status }
    const sending = session.run('SEND_MEDIA', { to: jid(BUDI), type: 'image', media: `${origin}/x.jpg` })
    await expect(sending).rejects.toMatchObject({ code: 'MEDIA_FETCH_FAILED', retry })
  })

  test('a URL into the private network and one that is too large fail for good', async () => {
    const inside = { to: jid(BUDI), type: 'image', media: 'http://169.254.169.254/latest/meta-data' }
    await expect(session.run('SEND_MEDIA', inside)).rejects.toMatchObject({
      code: 'MEDIA_HOST_FORBIDDEN',
      retry: 'never',
    })
    served = { bytes: Buffer.alloc(1_000_001) }
    const large = { to: jid(BUDI), type: 'document', media: `${origin}/large.bin` }
    await expect(session.run('SEND_MEDIA', large)).rejects.toMatchObject({ code: 'MEDIA_TOO_LARGE', retry: 'never' })
  })

  test('a repeat neither fetches nor uploads again, and is the same message', async () => {
    const data = { type: 'image', media: `${origin}/once.jpg` }
    const { result } = await send(data, 'media-twice')
    const before = fetches
    await session.run('SEND_MEDIA', { to: jid(BUDI), ...data }, { id: 'media-twice', attempt: 2 })
    expect(fetches).toBe(before)
    const [first, second] = await session.control.waitForReceived(2, { id: result.key?.id ?? '' })
    expect(second?.message).toEqual(first?.message)
  })

  test('leaves no file behind', async () => {
    const [own = '', ...others] = readdirSync(folder)
    expect(others).toEqual([])
    expect(readdirSync(join(folder, own))).toEqual([])
  })
})

async function movingGif(): Promise<Buffer> {
  const frames = ['#f00', '#0f0', '#00f'].map(background => ({
    create: { width: 40, height: 30, channels: 4, background } as const,
  }))
  return sharp(frames as never, { join: { animated: true } } as never)
    .gif()
    .toBuffer()
}
