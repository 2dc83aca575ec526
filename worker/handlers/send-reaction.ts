import type { Handler } from './handler.ts'
import { namesIn } from '../whatsapp/group-names.ts'
import { sendFor } from '../whatsapp/send.ts'

/** SEND_REACTION. The empty text takes the reaction back. */
export const sendReaction: Handler<'SEND_REACTION'> = async (context, job, signal) => {
  const { to, emoji, key } = job.data
  const { remoteJid, id, fromMe = false, participant } = key
  const build = async () => {
    const nameIn = await namesIn(context, to)
    const author = participant === undefined ? {} : { participant: nameIn(participant) }
    // The time is the job's own, so that a repeat is the same message.
    return {
      reactionMessage: { key: { remoteJid, fromMe, id, ...author }, text: emoji, senderTimestampMs: job.createdAt },
    }
  }
  return sendFor(context, job, { to, build }, signal)
}
