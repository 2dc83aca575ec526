import type { SimulatorClient } from '../simulator/client.ts'

/**
 * The protobuf of a text that quotes a text that quotes a text, `depth` deep. Written by hand, since whoever writes it by
 * recursion overflows, too: `extendedTextMessage` (6) with `text` (1) and `contextInfo` (17) with `quotedMessage` (3).
 */
export function nested(depth: number): Buffer {
  let message = field(1, Buffer.from('innermost'))
  for (let level = 0; level < depth; level++) {
    const quote = field(17, field(3, message))
    message = field(6, Buffer.concat([field(1, Buffer.from('deep')), quote]))
  }
  return message
}

/** What WhatsApp can be made to hand over that once stopped a session, or the whole process, by name. */
export const HOSTILE_MESSAGES: Readonly<Record<string, (to: Target) => Promise<unknown>>> = {
  '600 nested quotes': async ({ whatsapp, from, phone }) => whatsapp.sendBytes(from, phone, nested(600)),
  '1,500 nested quotes': async ({ whatsapp, from, phone }) => whatsapp.sendBytes(from, phone, nested(1500)),
  '6,000 nested quotes': async ({ whatsapp, from, phone }) => whatsapp.sendBytes(from, phone, nested(6000)),
  'a text of 2 MiB': async ({ whatsapp, from, phone }) => whatsapp.sendText(from, phone, 'x'.repeat(2 * 1024 * 1024)),
  'no protobuf': async ({ whatsapp, from, phone }) => whatsapp.sendBytes(from, phone, Buffer.alloc(500, 255)),
  'a message without content': async ({ whatsapp, from, phone }) => whatsapp.sendBytes(from, phone, Buffer.alloc(0)),
  'what nobody can decrypt': async target => rubbish(target, 'msg'),
  'a first message that nobody can decrypt': async target => rubbish(target, 'pkmsg'),
  'a group message that nobody can decrypt': async target => rubbish(target, 'skmsg'),
  'a post of a channel with 1,500 nested quotes': async ({ whatsapp, phone, n }) =>
    whatsapp.stanza(phone, {
      tag: 'message',
      attrs: { id: `POST${n}`, from: '120363000000000001@newsletter', type: 'text', t: '1700000000', server_id: '100' },
      content: [{ tag: 'plaintext', attrs: {}, content: nested(1500).toString('base64') }],
    }),
  'a group call without an id': async ({ whatsapp, from, phone, n }) =>
    whatsapp.stanza(phone, {
      tag: 'call',
      attrs: { id: `CALL${n}`, from: `${from}@s.whatsapp.net`, t: '1700000000' },
      content: [{ tag: 'offer', attrs: { type: 'group' }, content: [] }],
    }),
  'a call without anything': async ({ whatsapp, from, phone, n }) =>
    whatsapp.stanza(phone, {
      tag: 'call',
      attrs: { id: `EMPTY${n}`, from: `${from}@s.whatsapp.net`, t: '1700000000' },
    }),
  'a message from nowhere': async ({ whatsapp, phone, n }) =>
    whatsapp.stanza(phone, { tag: 'message', attrs: { id: `NOWHERE${n}`, from: 'nowhere', type: 'text', t: 'x' } }),
  'a receipt of nothing': async ({ whatsapp, phone, n }) =>
    whatsapp.stanza(phone, { tag: 'receipt', attrs: { id: `RECEIPT${n}`, from: 'nobody', type: 'retry' } }),
  'a notification of nothing': async ({ whatsapp, phone, n }) =>
    whatsapp.stanza(phone, { tag: 'notification', attrs: { id: `NOTE${n}`, from: 'nobody', type: 'w:gp2' } }),
}

/** Whom a hostile message goes to; `n` tells it from others. */
export interface Target {
  whatsapp: Pick<SimulatorClient, 'sendBytes' | 'sendText' | 'stanza'>
  from: string
  phone: string
  n: number
}

async function rubbish({ whatsapp, from, phone, n }: Target, type: 'msg' | 'pkmsg' | 'skmsg'): Promise<unknown> {
  const chat = type === 'skmsg' ? { from: '120363000000000009@g.us', participant: jid(from) } : { from: jid(from) }
  return whatsapp.stanza(phone, {
    tag: 'message',
    attrs: { id: `RUBBISH${n}`, ...chat, type: 'text', t: '1700000000' },
    content: [{ tag: 'enc', attrs: { v: '2', type }, content: Buffer.alloc(80, 7).toString('base64') }],
  })
}

function jid(phone: string): string {
  return `${phone}@s.whatsapp.net`
}

function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest & 127) | 128)
  }
}
