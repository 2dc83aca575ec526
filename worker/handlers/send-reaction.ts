import type { Handler } from './handler.ts'
import { sendFor } from '../whatsapp/send.ts'

/** SEND_REACTION. The empty text takes the reaction back. */
export const sendReaction: Handler<'SEND_REACTION'> = async (context, job, signal) => {
  const { to, emoji, key } = job.data
  const { fromMe = false, participant } = key
  const target = { remoteJid: key.remoteJid, fromMe, id: key.id, ...(participant !== undefined && { participant }) }
  // The time is the job's own, so that a repeat is the same message.
  const build = () => ({ reactionMessage: { key: target, text: emoji, senderTimestampMs: job.createdAt } })
  return sendFor(context, job, { to, build }, signal)
}
