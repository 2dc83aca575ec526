const ROUTING_HEADER = 7
const MAX_BUFFERED = 32 * 1024 * 1024

/** What the reader found: the four-byte introduction once, then frames. */
export type FrameReader = { push(data: Uint8Array): Buffer[]; readonly intro: Buffer | undefined }

/**
 * Splits a client's byte stream: `[ 'ED' 0 1 len24 routing ]? 'W' 'A' version dictionary`, then length-prefixed
 * (24 bits) frames. Throws on an introduction that is not WhatsApp's and on a stream that buffers without end.
 */
export function createFrameReader(): FrameReader {
  let buffered = Buffer.alloc(0)
  let intro: Buffer | undefined

  const takeIntro = (): boolean => {
    let at = 0
    if (buffered[0] === 0x45) {
      if (buffered.length < ROUTING_HEADER) return false
      if (buffered[1] !== 0x44) throw new Error('introduction is not whatsapp')
      at = ROUTING_HEADER + buffered.readUIntBE(4, 3)
    }
    if (buffered.length < at + 4) return false
    const found = buffered.subarray(at, at + 4)
    if (found[0] !== 0x57 || found[1] !== 0x41) throw new Error('introduction is not whatsapp')
    intro = Buffer.from(found)
    buffered = buffered.subarray(at + 4)
    return true
  }

  return {
    get intro() {
      return intro
    },
    push(data) {
      buffered = buffered.length === 0 ? Buffer.from(data) : Buffer.concat([buffered, data])
      if (buffered.length > MAX_BUFFERED) throw new Error('stream buffers too much')
      if (!intro && !takeIntro()) return []
      const frames: Buffer[] = []
      while (buffered.length >= 3) {
        const end = 3 + buffered.readUIntBE(0, 3)
        if (buffered.length < end) break
        frames.push(buffered.subarray(3, end))
        buffered = buffered.subarray(end)
      }
      return frames
    },
  }
}

/** A frame as the client reads it. */
export function frameOf(data: Uint8Array): Buffer {
  const head = Buffer.alloc(3)
  head.writeUIntBE(data.length, 0, 3)
  return Buffer.concat([head, data])
}
