import { proto } from '@whiskeysockets/baileys'
import * as z from 'zod'
import { mediaMessage } from '../contact-media.ts'
import { sendFromContact } from '../contact-messages.ts'
import type { Context } from '../context.ts'
import { ControlError } from '../errors.ts'
import { sendToGroup } from '../group-messages.ts'
import { MEDIA_KINDS } from '../media-check.ts'
import { sealedEdit, sealedVote } from '../sealed.ts'
import { phoneSchema } from './accounts.ts'
import { route } from './route.ts'

const envelope = {
  from: phoneSchema,
  /** A linked number or a group jid. */
  to: z.union([phoneSchema, z.string().endsWith('@g.us')]),
  id: z.string().min(8).max(64).optional(),
  /** How a 1:1 chat is addressed. */
  addressing: z.enum(['lid', 'pn']).default('lid'),
}

const sendSchema = z.object({
  ...envelope,
  text: z.string().optional(),
  /** Any message as protobuf JSON, instead of `text`. */
  message: z.record(z.string(), z.unknown()).optional(),
  /** The protobuf itself, instead of both; to linked numbers alone. */
  bytes: z.base64().optional(),
})

const naming = z.enum(['lid', 'pn']).default('lid')
const sealing = { ...envelope, about: z.string(), author: naming, self: naming }
/** `as`: the id that the edit claims to be about, if it lies. */
const editSchema = z.object({ ...sealing, text: z.string(), as: z.string().optional() })
const voteSchema = z.object({ ...sealing, options: z.array(z.string()) })

const mediaSchema = z.object({
  ...envelope,
  kind: z.enum(MEDIA_KINDS),
  data: z.base64(),
  mimetype: z.string().max(200),
  caption: z.string().optional(),
  fileName: z.string().optional(),
  ptt: z.boolean().optional(),
})

/** What contacts write. */
export const messageRoutes = [
  route('POST', '/send', sendSchema, (context, input) => {
    const bytes = input.bytes === undefined ? undefined : Buffer.from(input.bytes, 'base64')
    if (bytes !== undefined) return writeAs(context, { ...input, message: {}, bytes })
    const message = input.message ? proto.Message.fromObject(input.message) : textMessage(input.text)
    return writeAs(context, { ...input, message, bytes: undefined })
  }),
  route('POST', '/edit', editSchema, (context, input) => {
    const { about, as, text } = input
    const message = sealedEdit(context, { ...input, id: about, as: as ?? about }, { conversation: text })
    return writeAs(context, { ...input, message })
  }),
  route('POST', '/vote', voteSchema, (context, input) => {
    const message = sealedVote(context, { ...input, id: input.about, as: input.about }, input.options)
    return writeAs(context, { ...input, message })
  }),
  route('POST', '/send-media', mediaSchema, (context, input) => {
    const { kind, mimetype, caption, fileName, ptt } = input
    const data = Buffer.from(input.data, 'base64')
    const message = mediaMessage(context, {
      kind,
      data,
      mimetype,
      ...(caption === undefined ? {} : { caption }),
      ...(fileName === undefined ? {} : { fileName }),
      ...(ptt === undefined ? {} : { ptt }),
    })
    return writeAs(context, { ...input, message })
  }),
]

function textMessage(text: string | undefined): proto.IMessage {
  if (text === undefined) throw new ControlError(400, 'message_missing', 'give text or message')
  return { conversation: text }
}

/** Has a simulated number write to a linked number or a group. */
export function writeAs(
  context: Context,
  send: {
    from: string
    to: string
    message: proto.IMessage
    bytes?: Uint8Array | undefined
    id?: string | undefined
    addressing: 'lid' | 'pn'
  },
): { id: string } {
  const common = { from: send.from, message: send.message, ...(send.id === undefined ? {} : { id: send.id }) }
  if (!send.to.endsWith('@g.us')) {
    const bytes = send.bytes && { bytes: send.bytes }
    return sendFromContact(context, { ...common, ...bytes, to: send.to, addressing: send.addressing })
  }
  const group = context.groups.byJid.get(send.to)
  if (!group) throw new ControlError(404, 'group_unknown', 'no such group')
  return sendToGroup(context, group, common)
}
