import { generateWAMessageContent, type BinaryNode } from '@whiskeysockets/baileys'
import type { Handler } from './handler.ts'
import { contentOptions } from '../whatsapp/content-options.ts'
import { sendFor } from '../whatsapp/send.ts'

const POLL_META: BinaryNode = { tag: 'meta', attrs: { polltype: 'creation' } }

/** SEND_POLL. The secret that votes are encrypted with is kept with the message. */
export const sendPoll: Handler<'SEND_POLL'> = async (context, job, signal) => {
  const { to, name, options, selectableCount } = job.data
  const poll = { name, values: options, selectableCount }
  const build = async () => generateWAMessageContent({ poll }, contentOptions(context, to))
  return sendFor(context, job, { to, build, nodes: [POLL_META] }, signal)
}
