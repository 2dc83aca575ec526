const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
const GREYSCALE = 0

/**
 * A PNG (ISO/IEC 15948) of square modules, one bit a pixel: true is black. `scale` is the side of a module in pixels.
 */
export async function encodePng(
  modules: readonly (readonly boolean[])[],
  scale: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const side = modules.length * scale
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, side)
  view.setUint32(4, side)
  header.set([1, GREYSCALE, 0, 0, 0], 8)
  const pixels = await deflate(scanlines(modules, scale))
  return concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', new Uint8Array(0))])
}

/** Each line is a filter byte (0: none) and its pixels, eight a byte, 1 for white. */
function scanlines(modules: readonly (readonly boolean[])[], scale: number): Uint8Array<ArrayBuffer> {
  const side = modules.length * scale
  const stride = 1 + Math.ceil(side / 8)
  const lines = new Uint8Array(stride * side)
  for (const [row, line] of modules.entries()) {
    const start = row * scale * stride
    for (let x = 0; x < side; x++) {
      if (line[Math.floor(x / scale)] === true) continue
      const at = start + 1 + (x >> 3)
      lines[at] = (lines[at] ?? 0) | (0x80 >> (x & 7))
    }
    for (let copy = 1; copy < scale; copy++) lines.copyWithin(start + copy * stride, start, start + stride)
  }
  return lines
}

/** PNG wants the zlib format, which the web's streams call `deflate`. */
async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

function chunk(type: string, data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + data.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, data.length)
  bytes.set(new TextEncoder().encode(type), 4)
  bytes.set(data, 8)
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)))
  return bytes
}

/** CRC-32 as PNG's annex D defines it. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}
