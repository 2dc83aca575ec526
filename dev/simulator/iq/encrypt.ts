import type { BinaryNode } from '@whiskeysockets/baileys'
import { deliver } from '../delivery.ts'
import { bigEndian, bytesOf, childOf, childrenOf, node, numberOf, seconds } from '../nodes.ts'
import type { Bundle } from '../signal/party.ts'
import { takeDeviceBundle, type Device } from '../world.ts'
import type { Context } from '../context.ts'
import { iqError, type IqAnswer, type IqRequest } from './answer.ts'

const LOW_PREKEYS = 5
const KEY_TYPE = Buffer.of(5)

/** Prekeys: count, digest, upload, rotate and the bundles of others. */
export function answerEncrypt(request: IqRequest): IqAnswer {
  const { device, iq, child } = request
  if (child?.tag === 'count') return [node('count', { value: String(device.preKeys.size) })]
  if (child?.tag === 'digest') return [digestOf(device)]
  if (child?.tag === 'key') {
    const users = childrenOf(child, 'user').map(user => bundleNode(request.context, user.attrs.jid ?? ''))
    return [node('list', {}, users)]
  }
  if (child?.tag === 'rotate') return storeSignedPreKey(device, childOf(child, 'skey')) ? [] : iqError(400, 'bad skey')
  return iq.attrs.type === 'set' && childOf(iq, 'list') ? storeKeys(device, iq) : undefined
}

function digestOf(device: Device): BinaryNode {
  const { id, public: value, signature } = device.signedPreKey
  return node('digest', {}, [
    node('registration', {}, bigEndian(device.registrationId, 4)),
    node('type', {}, KEY_TYPE),
    node('identity', {}, device.identity),
    node('skey', {}, [node('id', {}, bigEndian(id, 3)), node('value', {}, value), node('signature', {}, signature)]),
  ])
}

function storeKeys(device: Device, iq: BinaryNode): IqAnswer {
  const registrationId = numberOf(childOf(iq, 'registration'))
  if (registrationId !== undefined) device.registrationId = registrationId
  const identity = bytesOf(childOf(iq, 'identity'))
  if (identity?.length === 32) device.identity = identity
  for (const key of childrenOf(childOf(iq, 'list'), 'key')) {
    const id = numberOf(childOf(key, 'id'))
    const value = bytesOf(childOf(key, 'value'))
    if (id === undefined || value?.length !== 32) return iqError(400, 'bad prekey')
    device.preKeys.set(id, value)
  }
  storeSignedPreKey(device, childOf(iq, 'skey'))
  return []
}

function storeSignedPreKey(device: Device, skey: BinaryNode | undefined): boolean {
  const id = numberOf(childOf(skey, 'id'))
  const value = bytesOf(childOf(skey, 'value'))
  const signature = bytesOf(childOf(skey, 'signature'))
  if (id === undefined || value?.length !== 32 || signature?.length !== 64) return false
  device.signedPreKey = { id, public: value, signature }
  return true
}

function bundleNode(context: Context, jid: string): BinaryNode {
  const target = context.world.resolve(jid)
  const linked = target && target.device > 0 ? target.account.devices.get(target.device) : undefined
  if (!target || (target.device > 0 && !linked)) {
    return node('user', { jid }, [node('error', { code: '404', text: 'item-not-found' })])
  }
  const bundle = linked ? takeLinkedBundle(context, linked) : target.account.party.bundle()
  return node('user', { jid }, keysOf(bundle))
}

/** A bundle of a real client; asks it for more prekeys when few are left. */
export function takeLinkedBundle(context: Context, device: Device): Bundle {
  const bundle = takeDeviceBundle(device)
  if (device.preKeys.size < LOW_PREKEYS) {
    const attrs = { from: '@s.whatsapp.net', type: 'encrypt', id: `prekeys-${device.preKeys.size}`, t: seconds() }
    const stanza = node('notification', attrs, [node('count', { value: String(device.preKeys.size) })])
    deliver(context, device, stanza)
  }
  return bundle
}

/** The elements in which a bundle travels. */
export function keysOf(bundle: Bundle): BinaryNode[] {
  const { registrationId, identity, signedPreKey, preKey } = bundle
  const keys = [
    node('registration', {}, bigEndian(registrationId, 4)),
    node('type', {}, KEY_TYPE),
    node('identity', {}, identity),
    node('skey', {}, [
      node('id', {}, bigEndian(signedPreKey.id, 3)),
      node('value', {}, signedPreKey.public),
      node('signature', {}, signedPreKey.signature),
    ]),
  ]
  if (preKey) keys.push(node('key', {}, [node('id', {}, bigEndian(preKey.id, 3)), node('value', {}, preKey.public)]))
  return keys
}

/** Reads a bundle out of the `keys` of a retry receipt; undefined when it is not there or not whole. */
export function bundleIn(keys: BinaryNode | undefined, registrationId: number): Bundle | undefined {
  const identity = bytesOf(childOf(keys, 'identity'))
  const skey = childOf(keys, 'skey')
  const [id, value] = [numberOf(childOf(skey, 'id')), bytesOf(childOf(skey, 'value'))]
  const signature = bytesOf(childOf(skey, 'signature'))
  if (identity?.length !== 32 || id === undefined || value?.length !== 32 || signature?.length !== 64) return undefined
  const key = childOf(keys, 'key')
  const [keyId, keyValue] = [numberOf(childOf(key, 'id')), bytesOf(childOf(key, 'value'))]
  return {
    registrationId,
    identity,
    signedPreKey: { id, public: value, signature },
    ...(keyId !== undefined && keyValue?.length === 32 ? { preKey: { id: keyId, public: keyValue } } : {}),
  }
}
