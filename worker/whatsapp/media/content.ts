import { join } from 'node:path'
import type { AnyMediaMessageContent, proto } from '@whiskeysockets/baileys'
import type { JobData } from '../../../shared/contract.ts'
import { JobFailure } from '../../jobs/job.ts'
import type { Decoder } from './decoder/decoder.ts'
import { documentName, documentType } from './document.ts'
import type { MediaFile } from './file.ts'
import { planOf, type MediaType } from './plan.ts'
import { prepare, unlessUnreadable, type Ask, type Ready, type Work } from './prepare.ts'
import { sniff } from './sniff.ts'

/**
 * Without a thumbnail given, Baileys decodes images without a limit and runs ffmpeg on videos; without a waveform, it
 * decodes the sound. Empty ones keep it from that; {@link dropPlaceholders} takes them out again.
 */
const NO_THUMBNAIL = ''
const NO_WAVEFORM = new Uint8Array()

/** What a content is made of. */
interface Parts extends Work {
  data: JobData<'SEND_MEDIA'>
  file: MediaFile
  caption: { caption?: string }
}

const BUILD: { readonly [T in MediaType]: (parts: Parts) => Promise<AnyMediaMessageContent> } = {
  image: async parts => {
    const ready = await prepare('image', parts)
    if (ready.isLoop) return video(ready, parts)
    const preview = await unlessUnreadable(parts.ask({ what: 'preview', path: ready.path }))
    const { path: url, mimetype } = ready
    return { image: { url }, mimetype, ...parts.caption, ...(preview ?? { jpegThumbnail: NO_THUMBNAIL }) }
  },
  video: async parts => video(await prepare('video', parts), parts),
  audio: async parts => {
    const ptt = parts.data.ptt === true
    const { path: url, mimetype } = await prepare(ptt ? 'voice' : 'audio', parts)
    const waveform = ptt ? { waveform: await waveformOf(url, mimetype, parts) } : {}
    return { audio: { url }, mimetype, ptt, seconds: 0, ...(await duration(url, parts.ask)), ...waveform }
  },
  sticker: async ({ file, shown, ask }) => {
    planOf('sticker', shown)
    const to = join(file.folder, 'sticker.webp')
    const made = await unlessUnreadable(ask({ what: 'sticker', path: file.path, to }))
    if (made === undefined) throw new JobFailure('MEDIA_UNREADABLE', 'the image cannot be made into a sticker')
    const { isMade, isAnimated } = made
    return { sticker: { url: isMade ? to : file.path }, isAnimated, mimetype: 'image/webp', width: 512, height: 512 }
  },
  document: async ({ data, file, caption }) => {
    const clues = { ...file, field: data.mimetype, fileName: data.fileName }
    const mimetype = documentType(clues)
    return { document: { url: file.path }, mimetype, fileName: documentName(clues, mimetype), ...caption }
  },
}

/**
 * A SEND_MEDIA job as the content that Baileys takes. Fields that do not belong to the type are left out. Nothing is
 * decoded in this process: size, thumbnail, length and waveform come from the decoder, and what it cannot decode in time
 * goes without them. Throws `MEDIA_UNREADABLE` for a file that is not what the job says, and `MEDIA_UNSUPPORTED` for one
 * that would have to be converted and cannot be.
 */
export async function mediaContent(
  { data, sessionId }: { data: JobData<'SEND_MEDIA'>; sessionId: string },
  file: MediaFile,
  decoder: Pick<Decoder, 'ask' | 'converts'>,
  signal: AbortSignal,
): Promise<AnyMediaMessageContent> {
  const { caption = '' } = data
  return BUILD[data.type]({
    data,
    file,
    shown: sniff(file.head),
    ask: async question => decoder.ask(sessionId, question, signal),
    converts: decoder.converts,
    caption: caption === '' ? {} : { caption },
  })
}

/** Takes out what {@link mediaContent} left empty: where nothing is, the phone makes its own. */
export function dropPlaceholders({ imageMessage, videoMessage, audioMessage }: proto.IMessage): void {
  if (imageMessage?.jpegThumbnail?.length === 0) delete imageMessage.jpegThumbnail
  if (videoMessage?.jpegThumbnail?.length === 0) delete videoMessage.jpegThumbnail
  if (audioMessage?.waveform?.length === 0) delete audioMessage.waveform
}

async function video({ path: url, mimetype, isLoop }: Ready, { caption, ask }: Parts): Promise<AnyMediaMessageContent> {
  const loop = isLoop ? { gifPlayback: true } : {}
  return { video: { url }, mimetype, ...caption, ...loop, ...(await duration(url, ask)), jpegThumbnail: NO_THUMBNAIL }
}

async function duration(path: string, ask: Ask): Promise<{ seconds?: number }> {
  const found = await unlessUnreadable(ask({ what: 'duration', path }))
  return found?.seconds === undefined ? {} : { seconds: Math.max(1, Math.round(found.seconds)) }
}

/** How loud a voice note is over its time. Nothing but ffmpeg decodes Opus here. */
async function waveformOf(path: string, from: string, { file, ask, converts }: Parts): Promise<Uint8Array> {
  if (!converts) return NO_WAVEFORM
  const to = join(file.folder, 'samples')
  const samples = ask({ what: 'convert', conversion: 'samples', from, path, to })
  if ((await unlessUnreadable(samples)) === undefined) return NO_WAVEFORM
  const found = await unlessUnreadable(ask({ what: 'waveform', path: to }))
  return found === undefined ? NO_WAVEFORM : Uint8Array.from(found.loudness)
}
