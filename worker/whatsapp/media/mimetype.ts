import type { JobData } from '../../../shared/contract.ts'
import { JobFailure } from '../../jobs/job.ts'
import { DECODED_IMAGES } from './decoder/protocol.ts'

/** What kind of message carries the media. */
export type MediaType = JobData<'SEND_MEDIA'>['type']

/** What is known of a file's type, most trusted first. */
export interface TypeClues {
  /** The job's field. It counts only when it suits the kind of message, as the contract's own example needs. */
  field: string | undefined
  /** The data URI's type or the response's content-type. */
  declared: string | undefined
  /** What the bytes show. */
  sniffed: string | undefined
}

// Containers hold sound, pictures or both, and bytes alone do not tell an audio file in one from a video.
const SUITS: Readonly<Record<MediaType, RegExp>> = {
  image: /^image\/(?!svg)/i,
  sticker: /^image\/(?!svg)/i,
  video: /^video\//i,
  audio: /^audio\/|^application\/ogg\b/i,
  document: /^(?!application\/octet-stream\b)/i,
}
const CONTAINERS = [
  'video/mp4',
  'video/webm',
  'video/3gpp',
  'video/quicktime',
  'video/x-matroska',
  'audio/ogg',
  'audio/mp4',
]

/** What the bytes must show, for each kind of message. A document goes as it is, undecoded. */
const TAKEN: Readonly<Record<Exclude<MediaType, 'document'>, ReadonlySet<string>>> = {
  image: DECODED_IMAGES,
  sticker: DECODED_IMAGES,
  video: new Set([...CONTAINERS, 'video/x-msvideo']),
  audio: new Set([...CONTAINERS, 'audio/mpeg', 'audio/aac', 'audio/amr', 'audio/wav', 'audio/flac']),
}

const VOICE = 'audio/ogg; codecs=opus'

const DEFAULTS: Readonly<Record<MediaType, string>> = {
  image: 'image/jpeg',
  sticker: 'image/webp',
  video: 'video/mp4',
  audio: 'audio/mpeg',
  document: 'application/octet-stream',
}

const MIMETYPE = /^[a-z0-9.+-]+\/[a-z0-9.+-]+(?:;\s*[a-z0-9-]+=[a-z0-9."+_-]+)*$/i
const MAX_LENGTH = 127

/** The type to announce. Ogg is announced as Opus, without which phones do not play voice notes. */
export function mimetypeOf(type: MediaType, ptt: boolean, { field, declared, sniffed }: TypeClues): string {
  const clues = [field, declared, sniffed].flatMap(clue => (clue === undefined ? [] : [clue.trim()]))
  const found = clues.find(clue => clue.length <= MAX_LENGTH && MIMETYPE.test(clue) && SUITS[type].test(clue))
  if (type !== 'audio') return found ?? DEFAULTS[type]
  if (found === undefined) return ptt ? VOICE : DEFAULTS.audio
  return /^(?:audio|application)\/ogg$/i.test(found) ? VOICE : found
}

/**
 * Refuses a file that its bytes do not show to be what the message says: WhatsApp would take it, the recipient's phone
 * would not show it, and a decoder would have to guess what outsiders meant.
 */
export function checkSuits(type: MediaType, sniffed: string | undefined): void {
  if (type === 'document' || TAKEN[type].has(sniffed ?? '')) return
  const shown = sniffed ?? 'of no format that is known here'
  throw new JobFailure('MEDIA_UNREADABLE', `the media is ${shown}, which cannot be sent as ${type}`)
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  'application/pdf': 'pdf',
  'application/zip': 'zip',
  'application/gzip': 'gz',
  'application/json': 'json',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.ms-excel': 'xls',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': 'pptx',
  'text/plain': 'txt',
  'text/csv': 'csv',
  'text/html': 'html',
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'audio/mpeg': 'mp3',
  'audio/ogg': 'ogg',
  'video/mp4': 'mp4',
}

/** A name for a document that came without one: the last part of its URL, else one with the type's extension. */
export function defaultFileName(url: string | undefined, mimetype: string): string {
  const last = url === undefined ? '' : lastSegment(url)
  if (/^[^/\\]{1,200}\.[a-z0-9]{1,10}$/i.test(last)) return last
  const essence = (mimetype.split(';')[0] ?? '').trim().toLowerCase()
  const extension = Object.hasOwn(EXTENSIONS, essence) ? EXTENSIONS[essence] : undefined
  return extension === undefined ? 'document' : `document.${extension}`
}

function lastSegment(url: string): string {
  const last = new URL(url).pathname.split('/').at(-1) ?? ''
  try {
    return decodeURIComponent(last)
  } catch {
    return last
  }
}
