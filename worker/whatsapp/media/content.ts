import { getAudioDuration, type AnyMediaMessageContent } from '@whiskeysockets/baileys'
import type { JobData } from '../../../shared/contract.ts'
import type { MediaFile } from './file.ts'
import { imagePreview, toSticker } from './image.ts'
import { checkSuits, defaultFileName, mimetypeOf, type MediaType } from './mimetype.ts'
import { sniff } from './sniff.ts'

/**
 * Without a thumbnail given, Baileys decodes images without a limit and runs ffmpeg on videos. An empty one keeps it
 * from that; {@link dropEmptyThumbnail} takes it out again.
 */
const NO_THUMBNAIL = ''

/** Longest time to look for the length of a recording. */
const DURATION_TIMEOUT_MS = 5000

/** What a content is made of. */
interface Parts {
  data: JobData<'SEND_MEDIA'>
  file: MediaFile
  media: { url: string }
  mimetype: string
  caption: { caption?: string }
}

const BUILD: { readonly [T in MediaType]: (parts: Parts) => Promise<AnyMediaMessageContent> } = {
  image: async ({ media, mimetype, caption }) => {
    const preview = (await imagePreview(media.url)) ?? { jpegThumbnail: NO_THUMBNAIL }
    return { image: media, mimetype, ...caption, ...preview }
  },
  video: async ({ media, mimetype, caption }) => {
    return { video: media, mimetype, ...caption, ...(await duration(media.url)), jpegThumbnail: NO_THUMBNAIL }
  },
  audio: async ({ media, mimetype, data }) => {
    return { audio: media, mimetype, ptt: data.ptt === true, seconds: 0, ...(await duration(media.url)) }
  },
  sticker: async ({ media }) => {
    const sticker = await toSticker(media.url)
    return { sticker: sticker.media, isAnimated: sticker.isAnimated, mimetype: 'image/webp', width: 512, height: 512 }
  },
  document: async ({ media, mimetype, data, file, caption }) => {
    return { document: media, mimetype, fileName: data.fileName || defaultFileName(file.url, mimetype), ...caption }
  },
}

/**
 * A SEND_MEDIA job as the content that Baileys takes. Fields that do not belong to the type are left out. Throws
 * `MEDIA_UNREADABLE` for a file that is not what the job says.
 */
export async function mediaContent(data: JobData<'SEND_MEDIA'>, file: MediaFile): Promise<AnyMediaMessageContent> {
  const { type, caption = '', ptt = false } = data
  const clues = { field: data.mimetype, declared: file.declared, sniffed: sniff(file.head) }
  checkSuits(type, clues)
  const mimetype = mimetypeOf(type, ptt, clues)
  return BUILD[type]({ data, file, media: { url: file.path }, mimetype, caption: caption === '' ? {} : { caption } })
}

/** Takes out the empty thumbnail of {@link mediaContent}: an absent one lets the phone make its own. */
export function dropEmptyThumbnail(message: { jpegThumbnail?: Uint8Array | null } | null | undefined): void {
  if (message?.jpegThumbnail?.length === 0) delete message.jpegThumbnail
}

async function duration(path: string): Promise<{ seconds?: number }> {
  try {
    const seconds = await Promise.race([
      getAudioDuration(path),
      new Promise<undefined>(resolve => setTimeout(resolve, DURATION_TIMEOUT_MS, undefined).unref()),
    ])
    return seconds === undefined || !Number.isFinite(seconds) ? {} : { seconds: Math.max(1, Math.round(seconds)) }
  } catch {
    return {}
  }
}
