import * as z from 'zod'
import { unlink } from '../login.ts'
import { ControlError } from '../errors.ts'
import type { Context } from '../context.ts'
import { PHONE_PATTERN } from '../jids.ts'
import { pairByCode } from '../pairing-code.ts'
import { scan } from '../pairing.ts'
import { lidJid, pnJid, type Device } from '../world.ts'
import { route } from './route.ts'

export const phoneSchema = z.string().regex(PHONE_PATTERN, 'digits with country code')

const numbersSchema = z.object({
  unregistered: z.array(phoneSchema).optional(),
  restricted: z.array(phoneSchema).optional(),
  withoutLid: z.array(phoneSchema).optional(),
})

/** Linking, unlinking and the list of what is linked. */
export const accountRoutes = [
  route('POST', '/scan', z.object({ qr: z.string().max(2000), phone: phoneSchema.optional() }), (context, input) =>
    scan(context, input.qr, input.phone),
  ),
  route(
    'POST',
    '/pair-code',
    z.object({ phoneNumber: phoneSchema, code: z.string().min(8).max(9) }),
    (context, input) => pairByCode(context, input.phoneNumber, input.code),
  ),
  route('POST', '/logout', z.object({ phone: phoneSchema, device: z.int().min(1).optional() }), (context, input) => {
    const devices = linkedDevices(context, input.phone).filter(({ number }) => number === (input.device ?? number))
    for (const device of devices) unlink(context, device)
    return { devices: devices.map(({ number }) => number) }
  }),
  /** Replaces the lists that are given. */
  route('POST', '/numbers', numbersSchema, (context, input) => {
    for (const list of ['unregistered', 'restricted', 'withoutLid'] as const) {
      if (!input[list]) continue
      context.world[list].clear()
      for (const phone of input[list]) context.world[list].add(phone)
    }
    const { unregistered, restricted, withoutLid } = context.world
    return { unregistered: [...unregistered], restricted: [...restricted], withoutLid: [...withoutLid] }
  }),
  route('GET', '/accounts', z.object({}), context => ({
    accounts: [...context.world.accounts.values()]
      .filter(({ devices }) => devices.size > 0)
      .map(account => ({
        phone: account.phone,
        jid: pnJid(account),
        lid: lidJid(account),
        name: account.name,
        devices: [...account.devices.values()].map(deviceView),
      })),
  })),
  route('GET', '/connections', z.object({}), context => ({
    connections: [...context.connections.values()].map(({ number, state, openedAt, device }) => ({
      connection: number,
      state,
      openedAt,
      ...(device ? { phone: device.account.phone, device: device.number } : {}),
    })),
  })),
]

/** The linked devices of a number; 404 when there are none. */
export function linkedDevices(context: Context, phone: string): Device[] {
  const devices = [...(context.world.accounts.get(phone)?.devices.values() ?? [])]
  if (devices.length === 0) throw new ControlError(404, 'phone_not_linked', 'no client is linked to this number')
  return devices
}

function deviceView(device: Device): Record<string, unknown> {
  return {
    device: device.number,
    jid: pnJid(device.account, device.number),
    state: device.connection?.state ?? 'closed',
    ...(device.connection ? { connection: device.connection.number } : {}),
    preKeys: device.preKeys.size,
    pending: device.pending.size,
  }
}
