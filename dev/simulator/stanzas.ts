import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Connection } from './world.ts'
import type { Context } from './context.ts'
import { stanzaAcked, whose } from './delivery.ts'
import { handleIq } from './iq/index.ts'
import type { JournalEntry } from './journal.ts'
import { handleMessage } from './messages.ts'
import { node, seconds } from './nodes.ts'
import { handleReceipt } from './receipts.ts'

/** Logs a stanza of a client and hands it to what answers its kind. */
export function handleStanza(context: Context, connection: Connection, stanza: BinaryNode): void {
  const { device } = connection
  context.journal.log('frame', frameLine(connection, stanza))
  if (stanza.tag === 'iq') return handleIq(context, connection, stanza)
  if (!device) return
  switch (stanza.tag) {
    case 'message':
      return handleMessage(context, connection, device, stanza)
    case 'receipt':
      return handleReceipt(context, connection, device, stanza)
    case 'ack':
      stanzaAcked(device, stanza)
      return
    case 'call':
      return connection.send(
        node('ack', { class: 'call', id: stanza.attrs.id ?? '', from: stanza.attrs.to ?? '', t: seconds() }),
      )
    case 'presence':
    case 'chatstate':
    case 'ib':
      return
    default:
      context.journal.log('unknown', { connection: connection.number, ...whose(device), tag: stanza.tag })
  }
}

/** What the log keeps of a stanza. */
export function frameLine(connection: Connection, stanza: BinaryNode): Partial<JournalEntry> {
  const { device } = connection
  const { id, type, xmlns, to } = stanza.attrs
  return {
    connection: connection.number,
    ...(device && whose(device)),
    tag: stanza.tag,
    ...(id === undefined ? {} : { id }),
    ...(type === undefined ? {} : { type }),
    ...(xmlns === undefined ? {} : { xmlns }),
    ...(to === undefined ? {} : { to }),
  }
}
