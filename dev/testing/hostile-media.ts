import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import sharp from 'sharp'

/** A file that was made to stop whoever decodes it, and as what it is sent. */
export interface HostileFile {
  name: string
  type: 'image' | 'audio' | 'sticker'
  bytes: Buffer
}

const MIB = 1024 * 1024

/** An ID3 tag of as many small frames as fit: music-metadata reads each of them, on its event loop. */
export function taggedAudio(bytes: number): Buffer {
  const frame = Buffer.from('TXXX\0\0\0\x04\0\0\0a\0b', 'latin1')
  const size = Math.floor(bytes / frame.length) * frame.length
  const head = Buffer.from('ID3\x03\0\0', 'latin1')
  const length = Buffer.from([(size >> 21) & 127, (size >> 14) & 127, (size >> 7) & 127, size & 127])
  return Buffer.concat([head, length, Buffer.alloc(size, frame), Buffer.from('\xff\xfb\x90\0', 'latin1')])
}

/** A GIF whose head says how large it is, and which holds next to nothing. */
export function hugeGif(width: number, height: number): Buffer {
  const head = Buffer.from('GIF89a\0\0\0\0\x80\0\0\0\0\0\xff\xff\xff', 'latin1')
  head.writeUInt16LE(width, 6)
  head.writeUInt16LE(height, 8)
  const image = Buffer.from(',\0\0\0\0\0\0\0\0\0\x02\x02\x44\x01\0;', 'latin1')
  image.writeUInt16LE(width, 5)
  image.writeUInt16LE(height, 7)
  return Buffer.concat([head, image])
}

/** A PNG of a few hundred KB whose pixels take half a GiB. */
export async function blankPng(): Promise<Buffer> {
  const blank = { create: { width: 8000, height: 8000, channels: 3, background: '#000' } } as const
  return sharp(blank).toColourspace('rgb16').png({ progressive: true }).toBuffer()
}

/** An SVG whose filter takes seconds, and which no sniffer that looks at its first bytes knows. */
export function slowSvg(): Buffer {
  const blur = '<feGaussianBlur stdDeviation="200"/>'.repeat(30)
  const filter = `<filter id="f" width="5" height="5">${blur}</filter>`
  const shape = '<rect width="4000" height="4000" filter="url(#f)"/>'
  return Buffer.from(
    `${' '.repeat(600)}<svg xmlns="http://www.w3.org/2000/svg" width="4000" height="4000">${filter}${shape}</svg>`,
  )
}

/** The files of the reviews of November 2026. */
export async function hostileFiles(): Promise<HostileFile[]> {
  return [
    { name: 'audio with 56 MiB of ID3 frames', type: 'audio', bytes: taggedAudio(56 * MIB) },
    { name: 'PNG that unfolds to half a GiB', type: 'image', bytes: await blankPng() },
    { name: 'PNG that unfolds to half a GiB, as a sticker', type: 'sticker', bytes: await blankPng() },
    { name: 'GIF that claims 4 gigapixels', type: 'sticker', bytes: hugeGif(65_535, 65_535) },
    { name: 'SVG with slow filters', type: 'sticker', bytes: slowSvg() },
  ]
}

/** Serves files on loopback, until it is closed. */
export async function serveFiles(files: readonly { bytes: Buffer }[]) {
  const server = createServer((request, response) => {
    const file = files[Number(request.url?.slice(1))]
    response.writeHead(file === undefined ? 404 : 200, { 'content-length': file?.bytes.length ?? 0 }).end(file?.bytes)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    /** For ALLOW_PRIVATE_HOSTS. */
    host,
    /** Of the file with this index. */
    url: (index: number) => `http://${host}/${index}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
