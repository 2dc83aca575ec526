import { generateWAMessageContent } from '@whiskeysockets/baileys'
import type { Handler } from './handler.ts'
import { contentOptions } from '../whatsapp/content-options.ts'
import { mentioning, namesIn } from '../whatsapp/group-names.ts'
import { sendFor } from '../whatsapp/send.ts'

/** SEND_TEXT: a text, with the people it mentions. No link preview is made: that would fetch URLs from texts. */
export const sendText: Handler<'SEND_TEXT'> = async (context, job, signal) => {
  const { to, text, mentions = [] } = job.data
  const build = async () => {
    const named = mentions.length === 0 ? { text, mentions } : mentioning(text, mentions, await namesIn(context, to))
    return generateWAMessageContent(named, contentOptions(context, to))
  }
  return sendFor(context, job, { to, build }, signal)
}
