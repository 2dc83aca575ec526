import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hugeGif } from '../../../dev/testing/hostile-media.ts'
import { wav } from '../../../dev/testing/sounds.ts'
import { createDecoder, type Decoder } from './decoder/decoder.ts'
import { findFfmpeg } from './decoder/ffmpeg.ts'
import { planOf, type MediaKind } from './plan.ts'
import { prepare } from './prepare.ts'
import { sniff } from './sniff.ts'

const ffmpeg = findFfmpeg(process.env['PATH'])
if (ffmpeg === undefined) console.warn('no ffmpeg on PATH: tests of conversions are skipped')

const folder = mkdtempSync(join(tmpdir(), 'kurir-test-'))
const { signal } = new AbortController()
let made = 0
let without: Decoder
let converting: Decoder

beforeAll(() => {
  without = createDecoder({})
  converting = createDecoder({ ffmpeg })
})
afterAll(() => {
  without.close()
  converting.close()
  rmSync(folder, { recursive: true })
})

async function prepared(kind: MediaKind, bytes: Buffer, decoder: Decoder) {
  const own = join(folder, String(made++))
  await mkdir(own)
  const path = join(own, 'file')
  await writeFile(path, bytes)
  const work = { file: { path, folder: own }, shown: sniff(bytes), converts: decoder.converts }
  const ready = await prepare(kind, { ...work, ask: async question => decoder.ask('a', question, signal) })
  return { ...ready, bytes: await readFile(ready.path) }
}

const RED = { width: 40, height: 30, channels: 3, background: '#f00' } as const
const red = () => sharp({ create: RED })
const OPUS = 'audio/ogg; codecs=opus'

async function gif(): Promise<Buffer> {
  const frames = ['#f00', '#0f0', '#00f'].map(background => ({ create: { ...RED, background } }))
  return sharp(frames as never, { join: { animated: true } } as never)
    .gif()
    .toBuffer()
}

/** What the bytes of a BMP of 2 by 2 pixels are. */
function bmp(): Buffer {
  const bytes = Buffer.alloc(54 + 16, 128)
  bytes.fill(0, 0, 54)
  bytes.write('BM')
  bytes.writeUInt32LE(bytes.length, 2)
  bytes.writeUInt32LE(54, 10)
  bytes.writeUInt32LE(40, 14)
  bytes.writeInt32LE(2, 18)
  bytes.writeInt32LE(2, 22)
  bytes.writeUInt16LE(1, 26)
  bytes.writeUInt16LE(24, 28)
  return bytes
}

describe('planOf', () => {
  test.each<[MediaKind, string | undefined]>([
    ['image', undefined],
    ['image', 'text/html'],
    ['image', 'image/svg+xml'],
    ['image', 'image/heic'],
    ['image', 'video/mp4'],
    ['image', 'constructor'],
    ['sticker', 'application/pdf'],
    ['video', undefined],
    ['video', 'image/png'],
    ['audio', undefined],
    ['audio', 'application/zip'],
    ['voice', 'image/png'],
  ])('refuses as %s: %s', (kind, shown) => {
    expect(() => planOf(kind, shown)).toThrow(expect.objectContaining({ code: 'MEDIA_UNREADABLE', retry: 'never' }))
  })

  test.each<[MediaKind, string, string]>([
    ['image', 'image/png', 'image/png'],
    ['video', 'video/3gpp', 'video/3gpp'],
    ['audio', 'audio/mpeg', 'audio/mpeg'],
    ['audio', 'video/mp4', 'audio/mp4'],
    ['audio', OPUS, OPUS],
    ['voice', OPUS, OPUS],
  ])('sends as %s as it is: %s', (kind, shown, mimetype) => {
    expect(planOf(kind, shown)).toEqual({ do: 'send', mimetype })
  })
})

describe('without ffmpeg', () => {
  test.each(['webp', 'avif', 'tiff'] as const)('a photo in %s is made a JPEG', async format => {
    const { mimetype, bytes } = await prepared('image', await red().toFormat(format).toBuffer(), without)
    expect(mimetype).toBe('image/jpeg')
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'jpeg', width: 40, height: 30 })
  })

  test('one that can be seen through, or might, is made a PNG', async () => {
    const clear = await red().ensureAlpha(0.5).webp().toBuffer()
    for (const bytes of [clear, await red().gif().toBuffer()]) {
      expect(await prepared('image', bytes, without)).toMatchObject({ mimetype: 'image/png' })
    }
  })

  test.each<[string, MediaKind, () => Buffer | Promise<Buffer>, RegExp]>([
    [
      'MP3 as voice note',
      'voice',
      () => Buffer.from('ID3\x04'),
      /^a voice note must be Opus in Ogg.*audio\/mpeg: ffmpeg/,
    ],
    ['Vorbis as voice note', 'voice', () => Buffer.from(`OggS${'\0'.repeat(24)}\x01vorbis`), /codecs=vorbis: ffmpeg/],
    ['Vorbis as sound', 'audio', () => Buffer.from(`OggS${'\0'.repeat(24)}\x01vorbis`), /MP3, AAC or Opus/],
    ['WebM as video', 'video', () => Buffer.from('\x1a\x45\xdf\xa3webm', 'latin1'), /MP4 with H.264.*ffmpeg/],
    ['BMP as photo', 'image', bmp, /JPEG and PNG.*image\/bmp: ffmpeg/],
    ['a GIF that moves as photo', 'image', gif, /post it as MP4, or send it as sticker or document/],
    ['a GIF as video', 'video', gif, /post it as MP4/],
  ])('%s is refused in words', async (_what, kind, bytes, words) => {
    await expect(prepared(kind, await bytes(), without)).rejects.toMatchObject({
      code: 'MEDIA_UNSUPPORTED',
      retry: 'never',
      message: expect.stringMatching(words),
    })
  })

  test('a WebP that moves is no photo', async () => {
    const webp = await sharp(await gif(), { animated: true })
      .webp()
      .toBuffer()
    await expect(prepared('image', webp, without)).rejects.toMatchObject({ code: 'MEDIA_UNSUPPORTED' })
  })

  test('what some phones open goes as it is', async () => {
    expect(await prepared('audio', wav(1), without)).toMatchObject({ mimetype: 'audio/wav' })
  })
})

describe.skipIf(ffmpeg === undefined)('with ffmpeg', () => {
  test.each<[string, string, string[]]>([
    ['MP3', 'mp3', ['-c:a', 'libmp3lame']],
    ['Vorbis', 'ogg', ['-c:a', 'libvorbis']],
    ['AAC', 'ipod', ['-c:a', 'aac']],
    ['FLAC', 'flac', ['-c:a', 'flac']],
  ])('%s is made a voice note', async (_name, format, codec) => {
    const { mimetype, bytes } = await prepared('voice', ffmpegMade(wav(1, 1), format, codec), converting)
    expect(mimetype).toBe(OPUS)
    expect(sniff(bytes)).toBe(OPUS)
    expect(await durationOf(bytes)).toBeCloseTo(2, 0)
  })

  test('WAV is made AAC in MP4', async () => {
    const { mimetype, bytes } = await prepared('audio', wav(1, 1), converting)
    expect(mimetype).toBe('audio/mp4')
    expect(sniff(bytes)).toBe('audio/mp4')
  })

  test.each<[string, string, string[]]>([
    ['WebM', 'webm', ['-c:v', 'libvpx', '-pix_fmt', 'yuv420p']],
    ['Matroska', 'matroska', ['-c:v', 'libx264']],
    ['AVI', 'avi', ['-c:v', 'mpeg4']],
    ['QuickTime', 'mov', ['-c:v', 'mjpeg']],
  ])('%s is made an MP4', async (_name, format, codec) => {
    const { mimetype, bytes, isLoop } = await prepared('video', ffmpegMade(await gif(), format, codec), converting)
    expect({ mimetype, isLoop }).toEqual({ mimetype: 'video/mp4', isLoop: false })
    expect(sniff(bytes)).toBe('video/mp4')
  })

  test('an MP4 of a codec that some phones lack is made one that all have', async () => {
    const vp9 = ffmpegMade(await gif(), 'mp4', ['-c:v', 'libvpx-vp9', '-pix_fmt', 'yuv420p'])
    const { bytes } = await prepared('video', vp9, converting)
    expect(bytes.includes('avc1')).toBe(true)
    expect((await prepared('video', vp9, without)).bytes).toEqual(vp9)
    expect((await prepared('video', bytes, converting)).bytes).toEqual(bytes)
  })

  test.each<MediaKind>(['image', 'video'])('a GIF that moves is made a looping video: %s', async kind => {
    const { mimetype, bytes, isLoop } = await prepared(kind, await gif(), converting)
    expect({ mimetype, isLoop }).toEqual({ mimetype: 'video/mp4', isLoop: true })
    expect(sniff(bytes)).toBe('video/mp4')
  })

  test('BMP is made a JPEG', async () => {
    const { bytes } = await prepared('image', bmp(), converting)
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'jpeg', width: 2, height: 2 })
  })

  test.each<[string, MediaKind, Buffer]>([
    ['a GIF of 4 gigapixels', 'video', hugeGif(65_535, 65_535)],
    ['a video without an end', 'video', Buffer.from('\x1a\x45\xdf\xa3webm', 'latin1')],
    ['a sound that is none', 'voice', Buffer.from('ID3\x04 and no more')],
  ])('%s is refused', async (_what, kind, bytes) => {
    await expect(prepared(kind, bytes, converting)).rejects.toMatchObject({ code: 'MEDIA_UNREADABLE', retry: 'never' })
  })
})

/** Has ffmpeg make a file of another for a test. */
function ffmpegMade(bytes: Buffer, format: string, codec: readonly string[]): Buffer {
  const to = join(folder, `made-${made++}`)
  execFileSync(ffmpeg ?? '', ['-v', 'error', '-i', 'pipe:0', ...codec, '-f', format, to], { input: bytes })
  return execFileSync('cat', [to])
}

async function durationOf(bytes: Buffer): Promise<number> {
  const path = join(folder, `timed-${made++}`)
  await writeFile(path, bytes)
  return (await converting.ask('a', { what: 'duration', path }, signal)).seconds ?? 0
}
