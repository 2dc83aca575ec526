import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blankPng, hugeGif, taggedAudio } from '../../../../dev/testing/hostile-media.ts'
import { createDecoder, type Decoder } from './decoder.ts'

let folder: string
let decoder: Decoder
const { signal } = new AbortController()
/** Long enough for a good file on a busy machine, and short enough to wait for. */
const HASTY = {
  deadlineMs: 2000,
  stickerMs: 2000,
  convertMs: 5000,
  rssBytes: 400 * 1024 * 1024,
  idleMs: 1000,
  cpuSeconds: 60,
}

beforeAll(async () => {
  decoder = createDecoder({})
  folder = await mkdtemp(join(tmpdir(), 'kurir-test-'))
})
afterAll(async () => {
  decoder.close()
  await rm(folder, { recursive: true })
})

const imagePreview = async (path: string) => decoder.ask('a', { what: 'preview', path }, signal)

async function toSticker(path: string) {
  const to = join(folder, `${Math.random()}.webp`)
  const { isAnimated, isMade } = await decoder.ask('a', { what: 'sticker', path, to }, signal)
  return { isAnimated, media: isMade ? await readFile(to) : undefined }
}

async function file(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${Math.random()}`)
  await writeFile(path, bytes)
  return path
}

const solid = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 4, background: { r: 10, g: 200, b: 90, alpha: 0.5 } } })

test('a preview has the size as it is seen, and a small JPEG', async () => {
  const turned = await solid(400, 100).jpeg().withMetadata({ orientation: 6 }).toBuffer()
  const preview = await imagePreview(await file(turned))
  expect(preview).toMatchObject({ width: 100, height: 400 })
  const thumbnail = await sharp(Buffer.from(preview.jpegThumbnail, 'base64')).metadata()
  expect(thumbnail).toMatchObject({ format: 'jpeg', width: 72, height: 288 })
})

test.each([
  ['no image', Buffer.from('hello')],
  ['an image that would unfold to 4 gigapixels', hugeGif(65_535, 65_535)],
])('%s has no preview and makes no sticker', async (_what, bytes) => {
  const path = await file(bytes)
  await expect(imagePreview(path)).rejects.toMatchObject({ reason: 'unreadable' })
  await expect(toSticker(path)).rejects.toMatchObject({ reason: 'unreadable' })
})

test('a sticker is a WebP of 512 by 512 with the whole image in it', async () => {
  const { media, isAnimated } = await toSticker(await file(await solid(300, 100).png().toBuffer()))
  expect(isAnimated).toBe(false)
  const { format, width, height, hasAlpha } = await sharp(media).metadata()
  expect({ format, width, height, hasAlpha }).toEqual({ format: 'webp', width: 512, height: 512, hasAlpha: true })
  const corner = await sharp(media).extract({ left: 0, top: 0, width: 1, height: 1 }).raw().toBuffer()
  expect(corner[3]).toBe(0)
})

test('a GIF that moves stays moving', async () => {
  const frames = await Promise.all(
    ['#f00', '#0f0', '#00f'].map(async background =>
      sharp({ create: { width: 60, height: 40, channels: 4, background } })
        .png()
        .toBuffer(),
    ),
  )
  const gif = await sharp(frames, { join: { animated: true } })
    .gif()
    .toBuffer()
  const { media, isAnimated } = await toSticker(await file(gif))
  expect(isAnimated).toBe(true)
  const { format, width, pageHeight, pages } = await sharp(media, { animated: true }).metadata()
  expect({ format, width, pageHeight, pages }).toEqual({ format: 'webp', width: 512, pageHeight: 512, pages: 3 })
})

test('a GIF with many frames makes a sticker of the first ones', async () => {
  const frames = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const background = { r: (i * 97) % 256, g: (i % 2) * 255, b: (i * 53) % 256 }
      return sharp({ create: { width: 8, height: 8, channels: 3, background } })
        .png()
        .toBuffer()
    }),
  )
  const gif = await sharp(frames, { join: { animated: true } })
    .gif()
    .toBuffer()
  const { media } = await toSticker(await file(gif))
  expect((await sharp(media, { animated: true }).metadata()).pages).toBe(80)
})

test('a sticker that is one already is left as it is', async () => {
  const path = await file(await solid(512, 512).webp().toBuffer())
  expect(await toSticker(path)).toEqual({ media: undefined, isAnimated: false })
  const other = await file(await solid(512, 200).webp().toBuffer())
  expect((await toSticker(other)).media).toBeInstanceOf(Buffer)
})

const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'

test.each([
  ['plain', SVG],
  ['after a byte order mark', `\ufeff${SVG}`],
  ['after 600 spaces', `${' '.repeat(600)}${SVG}`],
  ['after a document type', `<!DOCTYPE svg>${SVG}`],
  ['after a long comment', `<!--${'x'.repeat(600)}-->${SVG}`],
  ['after a processing instruction', `<?x y?>${SVG}`],
])('an SVG is not decoded: %s', async (_how, text) => {
  const path = await file(Buffer.from(text))
  await expect(imagePreview(path)).rejects.toMatchObject({ reason: 'unreadable' })
  await expect(toSticker(path)).rejects.toMatchObject({ reason: 'unreadable' })
})

test('a small file that unfolds to half a gigabyte is not decoded', async () => {
  const path = await file(await blankPng())
  await expect(imagePreview(path)).rejects.toMatchObject({ reason: 'unreadable' })
})

test('a file that takes too long is stopped, and this process goes on meanwhile', async () => {
  const hasty = createDecoder({ limits: HASTY })
  const path = await file(taggedAudio(40_000_000))
  const lags = monitorEventLoopDelay({ resolution: 5 })
  lags.enable()
  const asked = hasty.ask('a', { what: 'duration', path }, signal)
  await expect(asked).rejects.toMatchObject({ reason: 'stopped' })
  lags.disable()
  expect(lags.max / 1e6).toBeLessThan(500)
  const good = await file(await solid(9, 9).png().toBuffer())
  expect(await hasty.ask('a', { what: 'preview', path: good }, signal)).toMatchObject({ width: 9, height: 9 })
  hasty.close()
})

test('good files that take long together are all decoded', async () => {
  const busy = createDecoder({ limits: { ...HASTY, deadlineMs: 10_000, cpuSeconds: 2 } })
  const path = await file(await solid(4000, 4000).png({ compressionLevel: 1 }).toBuffer())
  for (let n = 0; n < 35; n++) {
    expect(await busy.ask('a', { what: 'preview', path }, signal)).toMatchObject({ width: 4000 })
  }
  busy.close()
}, 30_000)

test('a file that takes too much memory is stopped', async () => {
  const narrow = createDecoder({ limits: { ...HASTY, deadlineMs: 10_000, rssBytes: 60_000_000 } })
  const path = await file(taggedAudio(40_000_000))
  const asked = narrow.ask('a', { what: 'duration', path }, signal)
  await expect(asked).rejects.toMatchObject({ reason: 'stopped' })
  narrow.close()
})

test('whose files were stopped waits behind the others', async () => {
  const hasty = createDecoder({ limits: HASTY })
  const bad = await file(taggedAudio(40_000_000))
  const good = await file(await solid(9, 9).png().toBuffer())
  const ends: string[] = []
  const note = (name: string, work: Promise<unknown>) =>
    work.then(
      () => ends.push(name),
      () => ends.push(name),
    )
  const duration = async () => hasty.ask('bad', { what: 'duration', path: bad }, signal)
  await duration().catch(() => undefined)
  const all = [note('first bad', duration()), note('second bad', duration())]
  all.push(note('good', hasty.ask('good', { what: 'preview', path: good }, signal)))
  await Promise.all(all)
  expect(ends).toEqual(['first bad', 'good', 'second bad'])
  hasty.close()
})

test('an abort stops it at once', async () => {
  const aborting = new AbortController()
  const path = await file(taggedAudio(40_000_000))
  const asked = decoder.ask('a', { what: 'duration', path }, aborting.signal)
  setImmediate(() => aborting.abort(new Error('the session closed')))
  await expect(asked).rejects.toThrow('the session closed')
})
