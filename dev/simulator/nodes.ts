import type { BinaryNode } from '@whiskeysockets/baileys'

/** A stanza or an element of one. */
export function node(
  tag: string,
  attrs: Record<string, string> = {},
  content?: BinaryNode[] | Uint8Array | string,
): BinaryNode {
  return content === undefined ? { tag, attrs } : { tag, attrs, content }
}

export function childrenOf(parent: BinaryNode | undefined, tag?: string): BinaryNode[] {
  if (!parent || !Array.isArray(parent.content)) return []
  return tag === undefined ? parent.content : parent.content.filter(child => child.tag === tag)
}

export function childOf(parent: BinaryNode | undefined, tag: string): BinaryNode | undefined {
  return childrenOf(parent, tag)[0]
}

/** The bytes of an element; text counts as UTF-8. */
export function bytesOf(element: BinaryNode | undefined): Buffer | undefined {
  const content = element?.content
  if (typeof content === 'string') return Buffer.from(content)
  return content instanceof Uint8Array ? Buffer.from(content) : undefined
}

export function textOf(element: BinaryNode | undefined): string | undefined {
  return bytesOf(element)?.toString()
}

/** A big-endian number of an element (prekey ids have 3 bytes, registration ids 4). */
export function numberOf(element: BinaryNode | undefined): number | undefined {
  const bytes = bytesOf(element)
  return bytes && bytes.length > 0 && bytes.length <= 6 ? bytes.readUIntBE(0, bytes.length) : undefined
}

export function bigEndian(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.writeUIntBE(value, 0, length)
  return bytes
}

/** WhatsApp's time attribute: seconds. */
export function seconds(): string {
  return Math.floor(Date.now() / 1000).toString()
}
