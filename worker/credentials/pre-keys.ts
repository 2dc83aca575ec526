/**
 * Pre-keys lie in blocks of 32, a field each. A session has some 800 of them, and as many fields took four fifths of what
 * it had in Redis. A block is a bitmap of its places (4 bytes, little-endian), then the values that are there, in order.
 */
const PLACES = 32
const BITMAP_BYTES = 4
/** A pre-key as the codec writes it: its format, the public and the private key. */
const VALUE_BYTES = 65

/** Values by their place in the block. */
export type Block = Map<number, Buffer>

/** Where the pre-key of this id is, or undefined for what is no id of one (a stranger's message may name anything). */
export function locate(id: string): { block: string; place: number } | undefined {
  if (!/^\d{1,10}$/.test(id)) return undefined
  const number = Number(id)
  return { block: String(Math.floor(number / PLACES)), place: number % PLACES }
}

/** Reads what {@link packBlock} wrote. */
export function unpackBlock(bytes: Buffer | null): Block {
  const block: Block = new Map()
  if (bytes === null) return block
  const bitmap = bytes.readUInt32LE(0)
  let at = BITMAP_BYTES
  for (let place = 0; place < PLACES; place++) {
    if ((bitmap & (1 << place)) === 0) continue
    block.set(place, bytes.subarray(at, at + VALUE_BYTES))
    at += VALUE_BYTES
  }
  return block
}

/** A block as bytes, null when nothing is in it. */
export function packBlock(block: Block): Buffer | null {
  if (block.size === 0) return null
  const places = [...block.keys()].toSorted((a, b) => a - b)
  const bitmap = Buffer.alloc(BITMAP_BYTES)
  bitmap.writeUInt32LE(places.reduce((bits, place) => bits | (1 << place), 0) >>> 0)
  return Buffer.concat([bitmap, ...places.map(place => sized(block.get(place)))])
}

function sized(value: Buffer | undefined): Buffer {
  if (value?.length !== VALUE_BYTES) throw new TypeError('not a pre-key')
  return value
}
