/** A WAV file: mono, 16 bits, 8 kHz; silent, then a tone of 400 Hz, for as many seconds each. */
export function wav(silentSeconds: number, loudSeconds = 0): Buffer {
  const rate = 8000
  const samples = Buffer.alloc(2 * rate * (silentSeconds + loudSeconds))
  for (let i = rate * silentSeconds; i < samples.length / 2; i++) {
    samples.writeInt16LE(Math.round(12_000 * Math.sin((2 * Math.PI * 400 * i) / rate)), 2 * i)
  }
  const head = Buffer.alloc(44)
  head.write('RIFF')
  head.writeUInt32LE(36 + samples.length, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(2 * rate, 28)
  head.writeUInt16LE(2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36)
  head.writeUInt32LE(samples.length, 40)
  return Buffer.concat([head, samples])
}

/** Opus in Ogg: packets of 20 ms of silence each, as RFC 7845 puts them into pages. */
export function silentOpus(seconds: number): Buffer {
  const head = Buffer.from('OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0', 'latin1')
  const tags = Buffer.from('OpusTags\x05\0\0\0kurir\0\0\0\0', 'latin1')
  const packets = Array.from({ length: seconds * 50 }, () => Buffer.from([0xf8, 0xff, 0xfe]))
  const pages = [page(0, 2, 0, [head]), page(1, 0, 0, [tags])]
  for (let from = 0; from < packets.length; from += 50) {
    const some = packets.slice(from, from + 50)
    const isLast = from + some.length === packets.length
    pages.push(page(pages.length, isLast ? 4 : 0, (from + some.length) * 960, some))
  }
  return Buffer.concat(pages)
}

function page(index: number, flags: number, granule: number, packets: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(27)
  head.write('OggS')
  head.writeUInt8(flags, 5)
  head.writeBigInt64LE(BigInt(granule), 6)
  head.writeUInt32LE(7, 14)
  head.writeUInt32LE(index, 18)
  head.writeUInt8(packets.length, 26)
  const whole = Buffer.concat([head, Buffer.from(packets.map(({ length }) => length)), ...packets])
  whole.writeUInt32LE(checksum(whole), 22)
  return whole
}

/** Ogg's CRC: 0x04c11db7, without reflection. */
function checksum(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 24
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1
  }
  return crc >>> 0
}
