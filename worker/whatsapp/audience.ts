import { createHash } from 'node:crypto'
import { jidDecode, proto } from '@whiskeysockets/baileys'

/** A message that was sent, with whom it was for. */
export interface Kept {
  message: proto.IMessage
  /** The chat that it was sent to. Absent: it is for nobody, such as the intent of a job. */
  chat?: string
  /** In a group: the digests of those who were in it, one after the other. */
  members?: Buffer
}

/** Whom a message is for. */
export interface Audience {
  chat: string
  /** In a group: the jids of all who are in it. */
  members?: readonly string[]
}

/** Of a member, enough that one who was not there passes for one who was in a group of 1,024 once in four million times. */
const DIGEST_BYTES = 4

/** Packs a message for {@link unpackKept}: the length of the head (4 bytes), the head as JSON, the message. */
export function packKept(message: proto.IMessage, audience: Audience | undefined): Buffer {
  const members = audience?.members && Buffer.concat(audience.members.map(digestOf)).toString('base64')
  const head = Buffer.from(JSON.stringify({ chat: audience?.chat, members }))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(head.length)
  return Buffer.concat([length, head, proto.Message.encode(message).finish()])
}

/** Reads what {@link packKept} wrote. */
export function unpackKept(packed: Buffer): Kept {
  const end = 4 + packed.readUInt32BE(0)
  const { chat, members } = JSON.parse(packed.toString('utf8', 4, end)) as { chat?: string; members?: string }
  return {
    message: proto.Message.decode(packed.subarray(end)),
    ...(chat !== undefined && { chat }),
    ...(members !== undefined && { members: Buffer.from(members, 'base64') }),
  }
}

/** Whether this person, under this name, was in the group that the message was sent to. */
export function wasMember({ members }: Kept, jid: string | undefined): boolean {
  if (members === undefined || jid === undefined) return false
  const digest = digestOf(jid)
  for (let at = 0; at < members.length; at += DIGEST_BYTES) {
    if (digest.equals(members.subarray(at, at + DIGEST_BYTES))) return true
  }
  return false
}

function digestOf(jid: string): Buffer {
  const { user, server } = jidDecode(jid) ?? {}
  return createHash('sha256').update(`${user}@${server}`).digest().subarray(0, DIGEST_BYTES)
}
