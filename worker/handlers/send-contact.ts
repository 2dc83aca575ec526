import { generateWAMessageContent } from '@whiskeysockets/baileys'
import type { JobData } from '../../shared/contract.ts'
import type { Handler } from './handler.ts'
import { contentOptions } from '../whatsapp/content-options.ts'
import { sendFor } from '../whatsapp/send.ts'

type Contact = JobData<'SEND_CONTACT'>['contacts'][number]

/** SEND_CONTACT: one business card, or several in one message. */
export const sendContact: Handler<'SEND_CONTACT'> = async (context, job, signal) => {
  const { to, contacts } = job.data
  const cards = contacts.map(contact => ({ displayName: contact.name, vcard: vcardOf(contact) }))
  const displayName = contacts.length === 1 ? (contacts[0]?.name ?? '') : `${contacts.length} contacts`
  const build = async () =>
    generateWAMessageContent({ contacts: { displayName, contacts: cards } }, contentOptions(context, to))
  return sendFor(context, job, { to, build }, signal)
}

/** A vCard 3.0 (RFC 2426). `waid` makes WhatsApp show a button that opens the chat. */
function vcardOf({ name, phoneNumber, organization }: Contact): string {
  return [
    'BEGIN:VCARD',
    'VERSION:3.0',
    `N:;${escaped(name)};;;`,
    `FN:${escaped(name)}`,
    ...(organization === undefined ? [] : [`ORG:${escaped(organization)}`]),
    `TEL;type=CELL;type=VOICE;waid=${phoneNumber}:+${phoneNumber}`,
    'END:VCARD',
  ].join('\r\n')
}

/** A line break in a name would begin a property of its own, such as another number. */
function escaped(text: string): string {
  return text.replaceAll(/[\\;,]/g, String.raw`\$&`).replaceAll(/\r\n|\r|\n/g, String.raw`\n`)
}
