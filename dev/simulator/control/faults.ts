import * as z from 'zod'
import { faultSchema } from '../faults.ts'
import { PLAIN_CLOSES, streamError } from '../login.ts'
import { settingsSchema } from '../settings.ts'
import { linkedDevices, phoneSchema } from './accounts.ts'
import { route } from './route.ts'

const disconnectSchema = z.object({
  phone: phoneSchema,
  /** A stream error code; 408 and 428 are a plain close. */
  code: z.int().min(100).max(999).default(428),
  /** `cut` resets the TCP connection, `freeze` leaves it open and silent. */
  how: z.enum(['code', 'cut', 'freeze']).default('code'),
})

/** What goes wrong on purpose. */
export const faultRoutes = [
  route('POST', '/faults', faultSchema, (context, fault) => context.faults.arm(fault)),
  route('GET', '/faults', z.object({}), context => ({ faults: context.faults.list() })),
  route('DELETE', '/faults', z.object({}), context => {
    context.faults.clear()
    return {}
  }),
  route('POST', '/disconnect', disconnectSchema, (context, { phone, code, how }) => {
    const connections = linkedDevices(context, phone).flatMap(({ connection }) => connection ?? [])
    for (const connection of connections) {
      context.journal.log('fault', { connection: connection.number, phone, code: String(code), detail: how })
      if (how === 'cut') connection.cut()
      else if (how === 'freeze') connection.frozen = true
      else connection.finish(PLAIN_CLOSES.has(code) ? undefined : streamError(code))
    }
    return { connections: connections.map(({ number }) => number) }
  }),
  route('POST', '/settings', settingsSchema.partial(), (context, changed) => {
    Object.assign(
      context.settings,
      Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== undefined)),
    )
    return context.settings
  }),
]
