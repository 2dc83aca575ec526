import { jidNormalizedUser, type WASocket } from '@whiskeysockets/baileys'
import { JobFailure } from '../jobs/job.ts'
import type { Devices } from './devices.ts'

/** What is asked for a recipient. */
export interface Directory {
  devices: Devices
  sock: Pick<WASocket, 'onWhatsApp'>
}

/**
 * The jid to send to. A phone number without a device is asked for by number: WhatsApp may know it under another
 * spelling (Brazil's ninth digit); otherwise the job fails with `NOT_ON_WHATSAPP`, where Baileys would send to nobody
 * but our own phone, and WhatsApp would ack that.
 *
 * The devices that are asked for here are what a send needs; they are kept for some minutes, so this costs no request of
 * its own for numbers that exist.
 */
export async function findRecipient(
  { devices, sock }: Directory,
  jid: string,
  own: readonly string[],
): Promise<string> {
  if (!jid.endsWith('@s.whatsapp.net')) return jid
  // Our own phone gets a copy of each message: both are asked for at once.
  const found = await devices.find([jid, ...own])
  if (found.has(jid)) return jid
  const answer = await sock.onWhatsApp(jid)
  // Baileys answers a request that timed out with undefined: that says nothing about the number.
  if (answer === undefined)
    throw new JobFailure('ACK_TIMEOUT', 'WhatsApp did not look the number up in time', 'backoff')
  const [spelling] = answer
  if (spelling?.exists !== true) throw new JobFailure('NOT_ON_WHATSAPP', `${jid} is not on WhatsApp`)
  return jidNormalizedUser(spelling.jid)
}
