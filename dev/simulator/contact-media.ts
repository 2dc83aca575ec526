import { MEDIA_HKDF_KEY_MAPPING, type proto } from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { MEDIA_FIELDS, type MediaKind } from './media-check.ts'
import { sealMedia } from './media.ts'

/** A file that a contact sends. */
export type ContactFile = {
  readonly kind: MediaKind
  readonly data: Buffer
  readonly mimetype: string
  readonly caption?: string
  readonly fileName?: string
  /** A voice note, for audio. */
  readonly ptt?: boolean
}

/** Encrypts a file, puts it on the media server and makes the message that carries it. */
export function mediaMessage(context: Context, file: ContactFile): proto.IMessage {
  const sealed = sealMedia(file.data, MEDIA_HKDF_KEY_MAPPING[file.kind])
  const directPath = context.media.store(sealed.bytes)
  const content = {
    url: `${context.media.url}${directPath}`,
    directPath,
    mimetype: file.mimetype,
    mediaKey: sealed.mediaKey,
    fileSha256: sealed.fileSha256,
    fileEncSha256: sealed.fileEncSha256,
    fileLength: file.data.length,
    mediaKeyTimestamp: Math.floor(Date.now() / 1000),
    ...(file.caption === undefined ? {} : { caption: file.caption }),
    ...(file.fileName === undefined ? {} : { fileName: file.fileName }),
    ...(file.ptt === undefined ? {} : { ptt: file.ptt }),
  }
  return { [MEDIA_FIELDS[file.kind]]: content }
}
