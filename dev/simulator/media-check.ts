import { MEDIA_HKDF_KEY_MAPPING, normalizeMessageContent, type proto } from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { openMedia, sha256 } from './media.ts'
import type { ReceivedMedia } from './received.ts'

/** Kinds of media that contacts fetch, and the field of a message each is found in. */
export const MEDIA_FIELDS = {
  image: 'imageMessage',
  video: 'videoMessage',
  audio: 'audioMessage',
  document: 'documentMessage',
  sticker: 'stickerMessage',
} as const

export type MediaKind = keyof typeof MEDIA_FIELDS

export const MEDIA_KINDS = Object.keys(MEDIA_FIELDS) as MediaKind[]

/** Fetches and decrypts the media of a message, as its reader would, and compares both hashes. */
export function mediaOf(context: Context, message: proto.IMessage): { media?: ReceivedMedia | { error: string } } {
  const content = normalizeMessageContent(message)
  for (const kind of MEDIA_KINDS) {
    const media = content?.[MEDIA_FIELDS[kind]]
    if (!media) continue
    try {
      return {
        media: { kind, ...(media.mimetype ? { mimetype: media.mimetype } : {}), ...check(context, kind, media) },
      }
    } catch (error) {
      return { media: { error: error instanceof Error ? error.message : String(error) } }
    }
  }
  return {}
}

type MediaMessage = {
  directPath?: string | null
  url?: string | null
  mediaKey?: Uint8Array | null
  fileSha256?: Uint8Array | null
  fileEncSha256?: Uint8Array | null
}

function check(context: Context, kind: MediaKind, media: MediaMessage): { sha256: string; bytes: number } {
  const sealed = context.media.find(media.directPath ?? media.url ?? '')
  if (!sealed) throw new Error('media is not on the server')
  if (!media.mediaKey) throw new Error('media has no key')
  if (!sha256(sealed).equals(media.fileEncSha256 ?? Buffer.alloc(0))) throw new Error('encrypted file has another hash')
  const plain = openMedia(sealed, media.mediaKey, MEDIA_HKDF_KEY_MAPPING[kind])
  if (!sha256(plain).equals(media.fileSha256 ?? Buffer.alloc(0))) throw new Error('file has another hash')
  return { sha256: sha256(plain).toString('hex'), bytes: plain.length }
}
