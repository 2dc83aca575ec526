import { jidNormalizedUser, type WASocket } from '@whiskeysockets/baileys'
import { JobFailure } from '../types.ts'

/** What is asked of a socket to find a recipient. */
export type Directory = Pick<WASocket, 'getUSyncDevices' | 'onWhatsApp'>

/**
 * The jid to send to. A phone number without a device is asked for by number: WhatsApp may know it under another
 * spelling (Brazil's ninth digit); otherwise the job fails with `NOT_ON_WHATSAPP`, where Baileys would send to nobody
 * but our own phone, and WhatsApp would ack that.
 *
 * The devices that are asked for here are what Baileys asks for before a send; it keeps them for some minutes, so this
 * costs no request of its own for numbers that exist.
 */
export async function findRecipient(directory: Directory, jid: string): Promise<string> {
  if (!jid.endsWith('@s.whatsapp.net')) return jid
  const devices = await directory.getUSyncDevices([jid], true, false)
  if (devices.length > 0) return jid
  const answer = await directory.onWhatsApp(jid)
  // Baileys answers a request that timed out with undefined: that says nothing about the number.
  if (answer === undefined)
    throw new JobFailure('ACK_TIMEOUT', 'WhatsApp did not look the number up in time', 'backoff')
  const [found] = answer
  if (found?.exists !== true) throw new JobFailure('NOT_ON_WHATSAPP', `${jid} is not on WhatsApp`)
  return jidNormalizedUser(found.jid)
}
