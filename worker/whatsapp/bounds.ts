/** Most levels of a message: what people send has a dozen. Everything that reads a message may recurse so deep. */
export const MAX_LEVELS = 64
/** Most bytes of a message's texts and bytes together, and most parts of it. Media are not among them, their thumbnails are. */
export const MAX_CONTENT_BYTES = 1024 * 1024
const MAX_PARTS = 20_000

type Branch = Record<string | number, unknown>

/**
 * Cuts off what a message has beyond the bounds, in place, and tells whether there was any. Its sender chooses how deep
 * quotes are nested and how much is in them, and JSON, protobuf and Baileys recurse: a quote 1,500 levels deep overflowed
 * the stack of whoever read it. So this comes before all of them, and does not recurse itself. Nothing above a part that
 * is cut off changes, so what a person sees of the message stays.
 */
export function cutToBounds(message: object): boolean {
  const left: { branch: Branch; level: number }[] = [{ branch: message as Branch, level: 1 }]
  let bytes = 0
  let parts = 0
  let cut = false
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { branch, level } = next
    for (const key of Object.keys(branch)) {
      const value = branch[key]
      const size = sizeOf(value)
      const isBranch = size === undefined && typeof value === 'object' && value !== null
      if (++parts > MAX_PARTS || bytes + (size ?? 0) > MAX_CONTENT_BYTES || (isBranch && level >= MAX_LEVELS)) {
        cut = true
        if (Array.isArray(branch)) {
          branch.length = Number(key)
          break
        }
        delete branch[key]
        continue
      }
      bytes += size ?? 0
      if (isBranch) left.push({ branch: value as Branch, level: level + 1 })
    }
  }
  return cut
}

function sizeOf(value: unknown): number | undefined {
  if (typeof value === 'string') return value.length
  return value instanceof Uint8Array ? value.byteLength : undefined
}
