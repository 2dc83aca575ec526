import type { BinaryNode } from '@whiskeysockets/baileys'
import * as z from 'zod'
import { deliverToAll } from '../delivery.ts'
import { ControlError } from '../errors.ts'
import { phoneSchema } from './accounts.ts'
import { route } from './route.ts'

interface Raw {
  tag: string
  attrs: Record<string, string>
  content?: Raw[] | string | undefined
}

const rawSchema: z.ZodType<Raw> = z.object({
  tag: z.string().min(1).max(64),
  attrs: z.record(z.string(), z.string()).default({}),
  /** Children, or bytes in base64. */
  content: z.union([z.array(z.lazy(() => rawSchema)), z.base64()]).optional(),
})

/** A stanza as it is given, to all devices of a linked number: what WhatsApp's server might let a stranger send. */
export const stanzaRoutes = [
  route('POST', '/stanza', z.object({ to: phoneSchema, stanza: rawSchema }), (context, { to, stanza }) => {
    const target = context.world.accounts.get(to)
    if (!target?.devices.size) throw new ControlError(404, 'phone_not_linked', 'no client is linked to this number')
    deliverToAll(context, target, nodeOf(stanza))
    return {}
  }),
]

function nodeOf({ tag, attrs, content }: Raw): BinaryNode {
  const inner = typeof content === 'string' ? Buffer.from(content, 'base64') : content?.map(nodeOf)
  return { tag, attrs, ...(inner === undefined ? {} : { content: inner }) }
}
