import { randomBytes } from 'node:crypto'
import { proto, WA_ADV_ACCOUNT_SIG_PREFIX, type BinaryNode } from '@whiskeysockets/baileys'
import type { Connection } from './world.ts'
import type { Context } from './context.ts'
import { ControlError } from './errors.ts'
import { streamError } from './login.ts'
import { node, seconds } from './nodes.ts'
import type { Registration } from './registration.ts'
import { sign } from './signal/curve.ts'
import { hmac } from './signal/primitives.ts'
import { lidJid, pnJid, type Account, type Device } from './world.ts'

/** What a scan gives: the device that is linked now. */
export type Linked = { readonly phone: string; readonly device: number; readonly jid: string; readonly lid: string }

const REFS = 6
const ANSWER_MS = 10_000

/** Asks an unlinked client to show a QR. */
export function register(
  context: Context,
  connection: Connection,
  payload: proto.ClientPayload,
  noiseStatic: Buffer,
): void {
  const data = payload.devicePairingData
  if (!data?.eIdent || !data.eRegid || !data.eSkeyId || !data.eSkeyVal || !data.eSkeySig) {
    context.journal.log('refused', { connection: connection.number, code: '400' })
    return connection.finish(node('failure', { reason: '400', location: 'sim' }))
  }
  const refs = Array.from({ length: REFS }, () => `2@${randomBytes(48).toString('base64')}`)
  connection.state = 'pairing'
  context.registrations.set(connection.number, {
    connection,
    noiseStatic,
    data,
    identity: Buffer.from(data.eIdent),
    refs: new Set(refs),
    codeHello: undefined,
    answered: undefined,
  })
  context.journal.log('pairing', { connection: connection.number })
  const content = refs.map(ref => node('ref', {}, Buffer.from(ref)))
  const attrs = { from: 's.whatsapp.net', type: 'set', id: `pair-${connection.number}`, xmlns: 'md' }
  connection.send(node('iq', attrs, [node('pair-device', {}, content)]))
}

/** Reads a QR text and links its client to `phone`, or to the next free number. */
export async function scan(context: Context, qr: string, phone?: string): Promise<Linked> {
  const fields = qr.slice(qr.indexOf('#') + 1).split(',')
  const [ref, noiseStatic, identity, secret] = fields
  if (!ref || !noiseStatic || !identity || !secret) throw new ControlError(400, 'qr_malformed', 'not a linking QR')
  const registration = [...context.registrations.values()].find(({ refs }) => refs.has(ref))
  if (!registration) throw new ControlError(404, 'qr_unknown', 'no waiting client has shown this QR')
  const same = registration.noiseStatic.toString('base64') === noiseStatic
  if (!same || registration.identity.toString('base64') !== identity) {
    throw new ControlError(422, 'qr_mismatch', 'the keys in the QR are not those of the client')
  }
  return link(context, registration, Buffer.from(secret, 'base64'), phone ?? context.world.nextFreePhone())
}

/** Links a waiting client: signs its identity, waits for its answer, then has it reconnect. */
export async function link(
  context: Context,
  registration: Registration,
  advSecret: Buffer,
  phone: string,
): Promise<Linked> {
  if (registration.answered) throw new ControlError(409, 'pairing_busy', 'this client is being linked already')
  const account = context.world.ensure(phone)
  if (!account) throw new ControlError(422, 'phone_unregistered', 'this number cannot have WhatsApp')
  const { connection } = registration
  const number = account.nextDevice++
  const answer = new Promise<BinaryNode>((resolve, reject) => {
    const give = (): void => reject(new ControlError(504, 'pairing_timeout', 'the client did not answer'))
    const timer = setTimeout(give, ANSWER_MS)
    registration.answered = stanza => {
      clearTimeout(timer)
      resolve(stanza)
    }
  })
  connection.send(pairSuccess(account, number, registration.identity, advSecret))
  const stanza = await answer.finally(() => {
    registration.answered = undefined
  })
  if (stanza.attrs.type !== 'result') throw new ControlError(422, 'pairing_refused', 'the client refused the pairing')
  account.devices.set(number, deviceOf(registration, account, number))
  context.registrations.delete(connection.number)
  context.journal.log('linked', { connection: connection.number, phone: account.phone, device: number })
  connection.finish(streamError(515))
  return { phone: account.phone, device: number, jid: pnJid(account, number), lid: lidJid(account, number) }
}

function pairSuccess(account: Account, number: number, identity: Buffer, advSecret: Buffer): BinaryNode {
  const phone = account.party.identity
  const details = proto.ADVDeviceIdentity.encode({
    rawId: number,
    timestamp: Math.floor(Date.now() / 1000),
    keyIndex: number,
  }).finish()
  const signed = proto.ADVSignedDeviceIdentity.encode({
    details,
    accountSignatureKey: phone.public,
    accountSignature: sign(phone, Buffer.concat([WA_ADV_ACCOUNT_SIG_PREFIX, details, identity])),
  }).finish()
  const sealed = proto.ADVSignedDeviceIdentityHMAC.encode({ details: signed, hmac: hmac(advSecret, signed) }).finish()
  return node('iq', { from: 's.whatsapp.net', type: 'set', id: `linked-${number}`, xmlns: 'md', t: seconds() }, [
    node('pair-success', {}, [
      node('device-identity', {}, sealed),
      node('biz', { name: account.name }),
      node('device', { jid: pnJid(account, number), lid: lidJid(account, number) }),
      node('platform', { name: 'android' }),
    ]),
  ])
}

function deviceOf(registration: Registration, account: Account, number: number): Device {
  const { data, identity, noiseStatic } = registration
  const id = Buffer.from(data.eSkeyId ?? [])
  return {
    account,
    number,
    noiseStatic,
    identity,
    registrationId: Buffer.from(data.eRegid ?? []).readUInt32BE(0),
    signedPreKey: {
      id: id.readUIntBE(0, id.length),
      public: Buffer.from(data.eSkeyVal ?? []),
      signature: Buffer.from(data.eSkeySig ?? []),
    },
    preKeys: new Map(),
    pending: new Map(),
    historySent: false,
    connection: undefined,
  }
}
