import { generateWAMessageContent } from '@whiskeysockets/baileys'
import type { Handler } from './handler.ts'
import { contentOptions } from '../whatsapp/content-options.ts'
import { quote } from '../whatsapp/quoted.ts'
import { namesIn } from '../whatsapp/group-names.ts'
import { sendFor } from '../whatsapp/send.ts'

/** SEND_REPLY: a text that quotes a message. */
export const sendReply: Handler<'SEND_REPLY'> = async (context, job, signal) => {
  const { to, text, quoted } = job.data
  const { sock, sent, fence, sessionId } = context
  const build = async () => {
    const ours = quoted.key.fromMe === true ? (await sent.get(fence, sessionId, quoted.key.id))?.message : undefined
    const me = (to.endsWith('@lid') ? sock.user?.lid : undefined) ?? sock.user?.id ?? ''
    // Quoted from another chat, such as a group that has been left, it can do without.
    const isHere = quoted.key.remoteJid === to
    const nameIn = await namesIn(context, quoted.key.remoteJid).catch((error: unknown) => {
      if (isHere) throw error
      return (jid: string) => jid
    })
    const contextInfo = quote(quoted, { to, me, ours, nameIn })
    return generateWAMessageContent({ text, contextInfo }, contentOptions(context, to))
  }
  return sendFor(context, job, { to, build }, signal)
}
