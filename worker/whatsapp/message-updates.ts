import { proto } from '@whiskeysockets/baileys'
import type { UpdateEvent } from '../../shared/events.ts'
import type { MessageJson } from './event-json.ts'

const { Type } = proto.Message.ProtocolMessage

type Json = Record<string, unknown>
/** A vote that could be decrypted. */
export interface Vote {
  /** The names of what was chosen. */
  options: string[]
  /** Our own jid. */
  us: string | undefined
}

type Update = Pick<UpdateEvent, 'event' | 'data'>

/**
 * What a message says of earlier ones, under Baileys' names for that: a reaction, a deletion, an edit, a vote. They name the earlier
 * message by `key` and, where Baileys has a place for it, the message that says so.
 */
export function updatesOf({ key, message = {}, messageTimestamp }: MessageJson, vote?: Vote): Update[] {
  const { reactionMessage, protocolMessage, pollUpdateMessage } = unwrapped(message) as Record<string, Json | undefined>
  if (reactionMessage?.['key'] !== undefined) {
    return [
      { event: 'messages.reaction', data: [{ key: reactionMessage['key'], reaction: { ...reactionMessage, key } }] },
    ]
  }
  const target = protocolMessage?.['key']
  if (target !== undefined && protocolMessage?.['type'] === Type.REVOKE) {
    return [{ event: 'messages.delete', data: { keys: [target], by: key } }]
  }
  if (target !== undefined && protocolMessage?.['type'] === Type.MESSAGE_EDIT) {
    const update = { message: { editedMessage: { message: protocolMessage['editedMessage'] } }, messageTimestamp }
    return [{ event: 'messages.update', data: [{ key: target, update: { status: 'edited', ...update } }] }]
  }
  if (pollUpdateMessage !== undefined && vote !== undefined) {
    const { pollCreationMessageKey, senderTimestampMs } = pollUpdateMessage
    const data = {
      key: pollCreationMessageKey,
      ...voterOf(key, vote),
      selectedOptions: vote.options,
      senderTimestampMs,
    }
    return [{ event: 'polls.vote', data: { ...data, pollUpdateMessageKey: key } }]
  }
  return []
}

function voterOf(key: MessageJson['key'], { us }: Vote): Json {
  if (key.fromMe) return { voter: us }
  const { participant, participantAlt, remoteJid, remoteJidAlt } = key
  return participant === undefined
    ? { voter: remoteJid, voterAlt: remoteJidAlt }
    : { voter: participant, voterAlt: participantAlt }
}

/** The content inside what disappears, is edited, or has a caption. */
function unwrapped(message: Json): Json {
  let content = message
  for (let level = 0; level < 5; level++) {
    const inner = WRAPPERS.map(name => (content[name] as Json | undefined)?.['message']).find(
      found => found !== undefined,
    )
    if (typeof inner !== 'object' || inner === null) break
    content = inner as Json
  }
  return content
}

const WRAPPERS = [
  'ephemeralMessage',
  'viewOnceMessage',
  'documentWithCaptionMessage',
  'viewOnceMessageV2',
  'viewOnceMessageV2Extension',
  'editedMessage',
]
