import { join } from 'node:path'
import type { AnyMediaMessageContent } from '@whiskeysockets/baileys'
import type { JobData } from '../../../shared/contract.ts'
import { JobFailure } from '../../jobs/job.ts'
import { DecodeError, type Decoder } from './decoder/decoder.ts'
import type { Answers, Question } from './decoder/protocol.ts'
import type { MediaFile } from './file.ts'
import { checkSuits, defaultFileName, mimetypeOf, type MediaType } from './mimetype.ts'
import { sniff } from './sniff.ts'

/**
 * Without a thumbnail given, Baileys decodes images without a limit and runs ffmpeg on videos. An empty one keeps it
 * from that; {@link dropEmptyThumbnail} takes it out again.
 */
const NO_THUMBNAIL = ''

/** What a content is made of. */
interface Parts {
  data: JobData<'SEND_MEDIA'>
  file: MediaFile
  media: { url: string }
  mimetype: string
  caption: { caption?: string }
  ask: Ask
}

/** Has the file decoded, see {@link Decoder}. */
type Ask = <W extends Question['what']>(question: Extract<Question, { what: W }>) => Promise<Answers[W]>

const BUILD: { readonly [T in MediaType]: (parts: Parts) => Promise<AnyMediaMessageContent> } = {
  image: async ({ media, mimetype, caption, ask }) => {
    const preview = await unlessUnreadable(ask({ what: 'preview', path: media.url }))
    return { image: media, mimetype, ...caption, ...(preview ?? { jpegThumbnail: NO_THUMBNAIL }) }
  },
  video: async ({ media, mimetype, caption, ask }) => {
    return { video: media, mimetype, ...caption, ...(await duration(media.url, ask)), jpegThumbnail: NO_THUMBNAIL }
  },
  audio: async ({ media, mimetype, data, ask }) => {
    return { audio: media, mimetype, ptt: data.ptt === true, seconds: 0, ...(await duration(media.url, ask)) }
  },
  sticker: async ({ media, file, ask }) => {
    const to = join(file.folder, 'sticker.webp')
    const { isMade, isAnimated } = await ask({ what: 'sticker', path: media.url, to }).catch((error: unknown) => {
      if (!(error instanceof DecodeError)) throw error
      throw new JobFailure('MEDIA_UNREADABLE', 'the image cannot be made into a sticker')
    })
    return { sticker: isMade ? { url: to } : media, isAnimated, mimetype: 'image/webp', width: 512, height: 512 }
  },
  document: async ({ media, mimetype, data, file, caption }) => {
    return { document: media, mimetype, fileName: data.fileName || defaultFileName(file.url, mimetype), ...caption }
  },
}

/**
 * A SEND_MEDIA job as the content that Baileys takes. Fields that do not belong to the type are left out. Nothing is
 * decoded in this process: size, thumbnail and length come from the decoder, and what it cannot decode in time goes
 * without them. Throws `MEDIA_UNREADABLE` for a file that is not what the job says.
 */
export async function mediaContent(
  { data, sessionId }: { data: JobData<'SEND_MEDIA'>; sessionId: string },
  file: MediaFile,
  decoder: Pick<Decoder, 'ask'>,
  signal: AbortSignal,
): Promise<AnyMediaMessageContent> {
  const { type, caption = '', ptt = false } = data
  const clues = { field: data.mimetype, declared: file.declared, sniffed: sniff(file.head) }
  checkSuits(type, clues.sniffed)
  const mimetype = mimetypeOf(type, ptt, clues)
  const ask: Ask = async question => decoder.ask(sessionId, question, signal)
  return BUILD[type]({
    data,
    file,
    media: { url: file.path },
    mimetype,
    ask,
    caption: caption === '' ? {} : { caption },
  })
}

/** Takes out the empty thumbnail of {@link mediaContent}: an absent one lets the phone make its own. */
export function dropEmptyThumbnail(message: { jpegThumbnail?: Uint8Array | null } | null | undefined): void {
  if (message?.jpegThumbnail?.length === 0) delete message.jpegThumbnail
}

async function duration(path: string, ask: Ask): Promise<{ seconds?: number }> {
  const found = await unlessUnreadable(ask({ what: 'duration', path }))
  return found === undefined ? {} : { seconds: Math.max(1, Math.round(found.seconds)) }
}

/** Undefined for a file that cannot be decoded, or not in time: it is sent as it is. */
async function unlessUnreadable<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
