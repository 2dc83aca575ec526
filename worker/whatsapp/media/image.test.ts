import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { imagePreview, toSticker } from './image.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kurir-test-'))
})
afterAll(async () => rm(folder, { recursive: true }))

async function file(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${Math.random()}`)
  await writeFile(path, bytes)
  return path
}

const solid = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 4, background: { r: 10, g: 200, b: 90, alpha: 0.5 } } })

/** A GIF whose head says how large it is, and which holds next to nothing. */
function hugeGif(width: number, height: number): Buffer {
  const head = Buffer.from('GIF89a\0\0\0\0\x80\0\0\0\0\0\xff\xff\xff', 'latin1')
  head.writeUInt16LE(width, 6)
  head.writeUInt16LE(height, 8)
  const image = Buffer.from(',\0\0\0\0\0\0\0\0\0\x02\x02\x44\x01\0;', 'latin1')
  image.writeUInt16LE(width, 5)
  image.writeUInt16LE(height, 7)
  return Buffer.concat([head, image])
}

test('a preview has the size as it is seen, and a small JPEG', async () => {
  const turned = await solid(400, 100).jpeg().withMetadata({ orientation: 6 }).toBuffer()
  const preview = await imagePreview(await file(turned))
  expect(preview).toMatchObject({ width: 100, height: 400 })
  const thumbnail = await sharp(Buffer.from(preview?.jpegThumbnail ?? '', 'base64')).metadata()
  expect(thumbnail).toMatchObject({ format: 'jpeg', width: 72, height: 288 })
})

test.each([
  ['no image', Buffer.from('hello')],
  ['an image that would unfold to 4 gigapixels', hugeGif(65_535, 65_535)],
])('%s has no preview and makes no sticker', async (_what, bytes) => {
  const path = await file(bytes)
  expect(await imagePreview(path)).toBeUndefined()
  await expect(toSticker(path)).rejects.toMatchObject({ code: 'MEDIA_UNREADABLE' })
})

test('a sticker is a WebP of 512 by 512 with the whole image in it', async () => {
  const { media, isAnimated } = await toSticker(await file(await solid(300, 100).png().toBuffer()))
  expect(isAnimated).toBe(false)
  const { format, width, height, hasAlpha } = await sharp(media as Buffer).metadata()
  expect({ format, width, height, hasAlpha }).toEqual({ format: 'webp', width: 512, height: 512, hasAlpha: true })
  const corner = await sharp(media as Buffer)
    .extract({ left: 0, top: 0, width: 1, height: 1 })
    .raw()
    .toBuffer()
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
  const { format, width, pageHeight, pages } = await sharp(media as Buffer, { animated: true }).metadata()
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
  expect((await sharp(media as Buffer, { animated: true }).metadata()).pages).toBe(80)
})

test('a sticker that is one already is left as it is', async () => {
  const path = await file(await solid(512, 512).webp().toBuffer())
  expect(await toSticker(path)).toEqual({ media: { url: path }, isAnimated: false })
  const other = await file(await solid(512, 200).webp().toBuffer())
  expect((await toSticker(other)).media).toBeInstanceOf(Buffer)
})
