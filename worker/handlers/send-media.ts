import { generateWAMessageContent, type proto } from '@whiskeysockets/baileys'
import type { FetchOptions } from '../net/fetch-media.ts'
import type { Handler } from './handler.ts'
import type { SendContext } from '../whatsapp/send.ts'
import { JobFailure, type Job } from '../jobs/job.ts'
import { contentOptions } from '../whatsapp/content-options.ts'
import { dropPlaceholders, mediaContent } from '../whatsapp/media/content.ts'
import type { Decoder } from '../whatsapp/media/decoder/decoder.ts'
import type { MediaFolder } from '../whatsapp/media/folder.ts'
import { mediaFile } from '../whatsapp/media/file.ts'
import { sendFor } from '../whatsapp/send.ts'

/** How media is fetched, where it is kept meanwhile, and what decodes it. */
export interface MediaOptions extends FetchOptions {
  folders: MediaFolder
  decoder: Pick<Decoder, 'ask' | 'converts'>
}

/** SEND_MEDIA: image, video, audio, document or sticker, from a URL, base64 or a data URI. */
export function createSendMedia(media: MediaOptions): Handler<'SEND_MEDIA'> {
  return async (context, job, signal) => {
    const build = async () => buildMedia(context, job, media, signal)
    return sendFor(context, job, { to: job.data.to, build, costly: true }, signal)
  }
}

async function buildMedia(
  context: SendContext,
  { data }: Job<'SEND_MEDIA'>,
  options: MediaOptions,
  signal: AbortSignal,
): Promise<proto.IMessage> {
  await using file = await mediaFile(data.media, options, signal)
  const content = await mediaContent({ data, sessionId: context.sessionId }, file, options.decoder, signal)
  const message = await generateWAMessageContent(content, contentOptions(context, data.to)).catch((error: unknown) => {
    if (signal.aborted || error instanceof JobFailure) throw error
    const reason = error instanceof Error ? error.message : 'unknown'
    context.core.log.warn({ sessionId: context.sessionId, reason }, 'media upload failed')
    throw new JobFailure('INTERNAL', 'the upload to WhatsApp failed', 'backoff')
  })
  dropPlaceholders(message)
  return message
}
