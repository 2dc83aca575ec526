import * as z from 'zod'
import { deliverToAll } from '../delivery.ts'
import { ControlError } from '../errors.ts'
import { keysOf } from '../iq/encrypt.ts'
import { bigEndian, node, seconds } from '../nodes.ts'
import { lidJid, pnJid } from '../world.ts'
import { phoneSchema } from './accounts.ts'
import { route } from './route.ts'

const askSchema = z.object({
  from: phoneSchema,
  /** The linked number that is asked. */
  to: phoneSchema,
  /** Any ids: whether they are of messages to the asker is for the client to find out. */
  ids: z.array(z.string().min(1).max(64)).min(1).max(500),
  /** Asks as one of a group, whether it is in it or not. */
  group: z.string().endsWith('@g.us').optional(),
  /** Asks as this device; 0 is the phone. */
  device: z.int().min(0).max(99).default(0),
  addressing: z.enum(['lid', 'pn']).default('lid'),
})

/** A contact asks for messages again, truly or not (a retry receipt). */
export const askRoutes = [
  route('POST', '/ask', askSchema, (context, { from, to, ids, group, device, addressing }) => {
    const sender = context.world.ensure(from)
    const target = context.world.accounts.get(to)
    if (!sender || !target?.devices.size) throw new ControlError(404, 'phone_not_linked', 'no client is linked')
    const jid = (addressing === 'lid' ? lidJid : pnJid)(sender, device)
    const [id = '', ...others] = ids
    const attrs = { id, type: 'retry', t: seconds(), ...(group ? { from: group, participant: jid } : { from: jid }) }
    const items = others.map(other => node('item', { id: other }))
    const [registration, ...keys] = keysOf(sender.party.bundle())
    deliverToAll(
      context,
      target,
      node('receipt', attrs, [
        node('retry', { v: '1', count: '1', id, t: seconds(), error: '0' }, items),
        registration ?? node('registration', {}, bigEndian(sender.party.registrationId, 4)),
        node('keys', {}, keys),
      ]),
    )
    return {}
  }),
]
