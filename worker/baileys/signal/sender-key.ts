/** One state of a sender-key record as Baileys 7.0.0-rc14 serialises it. Keys of others have no private part. */
interface SenderKeyState {
  senderSigningKey?: { private?: { data?: ArrayLike<unknown> } | string }
  senderMessageKeys?: unknown[]
}

/**
 * Our own sender-key record without the message keys that it has skipped. Baileys skips one with each group message
 * and keeps it for a decryption that never comes, since nobody decrypts what he has sent himself: untrimmed, the record
 * grows to hundreds of kilobytes and is parsed and encrypted again with every message. Records of others, whose
 * skipped keys serve messages that come late, are returned as they are.
 */
export function trimOwnSenderKey(record: Uint8Array): Uint8Array {
  const states = JSON.parse(
    Buffer.from(record.buffer, record.byteOffset, record.byteLength).toString(),
  ) as SenderKeyState[]
  const own = states.filter(state => isOwn(state) && (state.senderMessageKeys?.length ?? 0) > 0)
  if (own.length === 0) return record
  for (const state of own) state.senderMessageKeys = []
  return Buffer.from(JSON.stringify(states))
}

function isOwn({ senderSigningKey }: SenderKeyState): boolean {
  const secret = senderSigningKey?.private
  const data = typeof secret === 'string' ? secret : secret?.data
  return data !== undefined && data.length > 0
}
