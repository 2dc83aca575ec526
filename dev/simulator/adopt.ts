import type { Context } from './context.ts'
import type { Device } from './world.ts'

/** What stands in for keys until the client has uploaded its own, as it does when it is told that none are there. */
const UNKNOWN = Buffer.alloc(32)

/**
 * Takes a client that says it is linked for linked, although this simulator has never seen it: what a simulator that
 * was started again does, so that sessions survive it. Signal sessions start anew, by the retries that WhatsApp has for
 * a phone that lost its keys. Undefined for a number that cannot have WhatsApp and for a device that was logged out.
 */
export function adopt(context: Context, phone: string, number: number, noiseStatic: Buffer): Device | undefined {
  const account = number > 0 ? context.world.ensure(phone) : undefined
  if (account === undefined || account.unlinked.has(number)) return undefined
  const device: Device = {
    account,
    number,
    noiseStatic,
    identity: UNKNOWN,
    registrationId: 0,
    signedPreKey: { id: 0, public: UNKNOWN, signature: Buffer.alloc(64) },
    preKeys: new Map(),
    pending: new Map(),
    historySent: true,
    connection: undefined,
  }
  account.devices.set(number, device)
  account.nextDevice = Math.max(account.nextDevice, number + 1)
  context.journal.log('linked', { phone, device: number, detail: 'adopted' })
  return device
}
