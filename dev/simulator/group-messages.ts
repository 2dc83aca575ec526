import { encodeWAMessage, type BinaryNode, type proto } from '@whiskeysockets/baileys'
import { contactMessageKey, stanzaType } from './contact-messages.ts'
import type { Context } from './context.ts'
import { deliver } from './delivery.ts'
import { addressOfDevice } from './world.ts'
import { encryptFor, messageId } from './envelope.ts'
import { ControlError } from './errors.ts'
import { memberKey, type Group } from './groups.ts'
import { childrenOf, node, seconds } from './nodes.ts'
import { openByMembers, openByPhone, passedOn, type Opening } from './opening.ts'
import { addressedParts, withIdentity, type Routed } from './routing.ts'
import { lidJid, pnJid, type Account, type Device } from './world.ts'

/** Routes a message of a client to a group or to its status list. */
export function routeToGroup(context: Context, device: Device, stanza: BinaryNode, to: string): Routed {
  const group = context.groups.byJid.get(to)
  if (to.endsWith('@g.us') && !group) return { openings: [], refused: '404' }
  if (group && !group.members.has(device.account)) return { openings: [], refused: '403' }
  if (group?.announcement && !group.members.get(device.account)) return { openings: [], refused: '403' }

  const direct = stanza.attrs.participant
  const encs = childrenOf(stanza, 'enc')
  const shared = encs.filter(enc => enc.attrs.type === 'skmsg')
  const parts = addressedParts(stanza)
  if (direct) for (const enc of encs) if (enc.attrs.type !== 'skmsg') parts.push({ jid: direct, enc })
  const openings: Opening[] = []
  const forLinked = new Map<Device, BinaryNode[]>()
  const reached = new Set<Account>()
  for (const { jid, enc } of parts) {
    const recipient = context.world.resolve(jid)
    if (!recipient || (recipient.account === device.account && recipient.device === device.number)) continue
    if (group && !group.members.has(recipient.account)) continue
    const linked = recipient.account.devices.get(recipient.device)
    if (recipient.device === 0) {
      reached.add(recipient.account)
      openings.push(openByPhone(context, device, recipient.account, enc))
    } else if (linked) {
      openings.push({ opened: passedOn(recipient.account, recipient.device, enc) })
      forLinked.set(linked, [...(forLinked.get(linked) ?? []), enc])
    }
  }
  const members = group ? [...group.members.keys()] : [...reached]
  for (const enc of shared) {
    openings.push(...openByMembers(context, device, to, members, enc))
    for (const linked of members.flatMap(member => [...member.devices.values()])) {
      if (linked !== device) forLinked.set(linked, [...(forLinked.get(linked) ?? []), enc])
    }
  }
  for (const [linked, own] of forLinked) {
    deliver(context, linked, node('message', envelopeOf(device, to, stanza), withIdentity(stanza, own)))
  }
  return { openings }
}

function envelopeOf({ account, number }: Device, group: string, stanza: BinaryNode): Record<string, string> {
  return {
    id: stanza.attrs.id ?? '',
    type: stanza.attrs.type ?? 'text',
    t: seconds(),
    notify: account.name,
    from: group,
    participant: lidJid(account, number),
    participant_pn: pnJid(account),
    addressing_mode: 'lid',
    ...(stanza.attrs.edit ? { edit: stanza.attrs.edit } : {}),
  }
}

/** A message that a simulated member writes to a group. */
export type MemberSend = { readonly from: string; readonly message: proto.IMessage; readonly id?: string }

/** Has a member write to a group: all linked devices of the other members get it. */
export function sendToGroup(context: Context, group: Group, send: MemberSend): { id: string } {
  const sender = context.world.ensure(send.from)
  if (!sender || !group.members.has(sender)) {
    throw new ControlError(422, 'not_a_member', 'the sending number is not in the group')
  }
  const id = send.id ?? messageId()
  const attrs = {
    id,
    from: group.jid,
    participant: lidJid(sender),
    participant_pn: pnJid(sender),
    addressing_mode: 'lid',
    type: stanzaType(send.message),
    notify: sender.name,
    t: seconds(),
  }
  const { key, given } = memberKey(group, sender)
  const distribution = { groupId: group.jid, axolotlSenderKeyDistributionMessage: key.distribution() }
  const shared = node('enc', { v: '2', type: 'skmsg' }, key.encrypt(encodeWAMessage(send.message)))
  for (const member of group.members.keys()) {
    for (const device of member.devices.values()) {
      context.sent.byContact.set(contactMessageKey(device, id), { sender, message: send.message, attrs })
      const content = [shared]
      if (!given.has(addressOfDevice(device))) {
        given.add(addressOfDevice(device))
        content.unshift(encryptFor(context, sender.party, device, { senderKeyDistributionMessage: distribution }))
      }
      deliver(context, device, node('message', attrs, content))
    }
  }
  return { id }
}
