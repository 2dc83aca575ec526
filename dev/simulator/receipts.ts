import type { BinaryNode } from '@whiskeysockets/baileys'
import { sendAgain } from './contact-messages.ts'
import type { Connection } from './world.ts'
import type { Context } from './context.ts'
import { deliver, messageReceived } from './delivery.ts'
import { childOf, childrenOf, node, seconds } from './nodes.ts'
import { isGroupJid } from './jids.ts'
import { clientMessageKey } from './sent.ts'
import { lidJid, pnJid, type Device } from './world.ts'

/** Takes a client's receipt: what it names is delivered; a retry is answered by sending again. */
export function handleReceipt(context: Context, connection: Connection, device: Device, stanza: BinaryNode): void {
  const { id = '', to = '', type, participant } = stanza.attrs
  const ids = [id, ...childrenOf(childOf(stanza, 'list'), 'item').map(item => item.attrs.id ?? '')]
  connection.send(
    node('ack', {
      class: 'receipt',
      id,
      from: to,
      t: seconds(),
      ...(type === undefined ? {} : { type }),
      ...(participant === undefined ? {} : { participant }),
    }),
  )
  if (type === 'retry') {
    if (!sendAgain(context, device, stanza)) passOn(context, device, stanza, [id])
    return
  }
  for (const received of ids) messageReceived(device, received)
  if (type !== 'inactive' && type !== 'sender' && type !== 'peer_msg' && type !== 'hist_sync') {
    passOn(context, device, stanza, ids)
  } else if (type === 'inactive') {
    const { type: _, ...attrs } = stanza.attrs
    passOn(context, device, { ...stanza, attrs }, ids)
  }
}

/** A receipt for a message of another real client goes on to that client. */
function passOn(context: Context, device: Device, stanza: BinaryNode, ids: readonly string[]): void {
  const { to = '', participant, type } = stanza.attrs
  const author = context.world.resolve(participant ?? to)
  if (!author) return
  for (const sender of author.account.devices.values()) {
    for (const id of ids) {
      if (sender === device || !context.sent.byClient.has(clientMessageKey(sender, id))) continue
      const byLid = isGroupJid(to) || to.endsWith('@lid')
      // Retries name the device that failed; the others count for the whole account.
      const number = type === 'retry' ? device.number : 0
      const self = byLid ? lidJid(device.account, number) : pnJid(device.account, number)
      const attrs: Record<string, string> = { id, t: seconds(), from: isGroupJid(to) ? to : self }
      if (isGroupJid(to)) attrs.participant = self
      if (type !== undefined) attrs.type = type
      const content = type === 'retry' && Array.isArray(stanza.content) ? stanza.content : undefined
      deliver(context, sender, node('receipt', attrs, content))
    }
  }
}
