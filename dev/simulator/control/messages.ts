import { proto } from '@whiskeysockets/baileys'
import * as z from 'zod'
import { sendFromContact } from '../contact-messages.ts'
import type { Context } from '../context.ts'
import { ControlError } from '../errors.ts'
import { sendToGroup } from '../group-messages.ts'
import { phoneSchema } from './accounts.ts'
import { route } from './route.ts'

const sendSchema = z.object({
  from: phoneSchema,
  /** A linked number or a group jid. */
  to: z.union([phoneSchema, z.string().endsWith('@g.us')]),
  text: z.string().optional(),
  /** Any message as protobuf JSON, instead of `text`. */
  message: z.record(z.string(), z.unknown()).optional(),
  id: z.string().min(8).max(64).optional(),
  addressing: z.enum(['lid', 'pn']).default('lid'),
})

/** What contacts write. */
export const messageRoutes = [
  route('POST', '/send', sendSchema, (context, input) => {
    const message = input.message ? proto.Message.fromObject(input.message) : textMessage(input.text)
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
  send: { from: string; to: string; message: proto.IMessage; id?: string | undefined; addressing: 'lid' | 'pn' },
): { id: string } {
  const common = { from: send.from, message: send.message, ...(send.id === undefined ? {} : { id: send.id }) }
  if (!send.to.endsWith('@g.us'))
    return sendFromContact(context, { ...common, to: send.to, addressing: send.addressing })
  const group = context.groups.byJid.get(send.to)
  if (!group) throw new ControlError(404, 'group_unknown', 'no such group')
  return sendToGroup(context, group, common)
}
