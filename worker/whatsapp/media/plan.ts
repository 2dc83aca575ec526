import type { JobData } from '../../../shared/contract.ts'
import { JobFailure } from '../../jobs/job.ts'
import type { Conversion } from './decoder/protocol.ts'

/** What kind of message carries the media. */
export type MediaType = JobData<'SEND_MEDIA'>['type']

/** What a file is sent as: a voice note is a kind of its own. */
export type MediaKind = Exclude<MediaType, 'document'> | 'voice'

/** What is done with a file before it is sent. */
export type Plan =
  /** It is sent as it is, under this type. */
  | { do: 'send'; mimetype: string }
  /** It is made into another file. `otherwise`: the type under which it is sent as it is when it cannot be converted. */
  | { do: 'convert'; to: Conversion; otherwise?: string }
  /** It is made into a picture that phones show, by the decoder. */
  | { do: 'still' }
  /** It is made into a sticker, by the decoder. */
  | { do: 'sticker' }

/** The type of what each conversion makes. */
export const MADE: Readonly<Record<Conversion, string>> = {
  voice: 'audio/ogg; codecs=opus',
  audio: 'audio/mp4',
  video: 'video/mp4',
  loop: 'video/mp4',
  jpeg: 'image/jpeg',
  samples: 'application/octet-stream',
}

const OPUS = MADE.voice
const STICKER: Plan = { do: 'sticker' }
const STILL: Plan = { do: 'still' }
const as = (mimetype: string): Plan => ({ do: 'send', mimetype })
const to = (conversion: Conversion): Plan => ({ do: 'convert', to: conversion })
/** Some phones open it as it is, all of them when it is converted. */
const better = (conversion: Conversion, otherwise: string): Plan => ({ do: 'convert', to: conversion, otherwise })

/**
 * What becomes of each format that the bytes may show. What is not here is refused: WhatsApp would take it and the
 * recipient's phone would not show it. MP4, 3GPP and their like hold sound, pictures or both, and the first bytes do not
 * tell which.
 */
const PLANS: Readonly<Record<MediaKind, Readonly<Record<string, Plan>>>> = {
  image: {
    'image/jpeg': as('image/jpeg'),
    'image/png': as('image/png'),
    'image/gif': STILL,
    'image/webp': STILL,
    'image/avif': STILL,
    'image/tiff': STILL,
    'image/bmp': to('jpeg'),
  },
  sticker: {
    'image/jpeg': STICKER,
    'image/png': STICKER,
    'image/gif': STICKER,
    'image/webp': STICKER,
    'image/avif': STICKER,
    'image/tiff': STICKER,
  },
  video: {
    'video/mp4': as('video/mp4'),
    'audio/mp4': as('video/mp4'),
    'video/3gpp': as('video/3gpp'),
    'video/quicktime': better('video', 'video/quicktime'),
    'video/webm': to('video'),
    'video/x-matroska': to('video'),
    'video/x-msvideo': to('video'),
    'video/ogg': to('video'),
    'image/gif': to('loop'),
  },
  audio: {
    [OPUS]: as(OPUS),
    'audio/mpeg': as('audio/mpeg'),
    'audio/aac': as('audio/aac'),
    'audio/amr': as('audio/amr'),
    'audio/mp4': as('audio/mp4'),
    'video/mp4': as('audio/mp4'),
    'video/3gpp': as('audio/3gpp'),
    'audio/wav': better('audio', 'audio/wav'),
    'audio/flac': better('audio', 'audio/flac'),
    'audio/ogg': to('audio'),
    'audio/ogg; codecs=vorbis': to('audio'),
    'video/quicktime': to('audio'),
    'video/webm': to('audio'),
    'video/x-matroska': to('audio'),
    'video/x-msvideo': to('audio'),
  },
  voice: {
    [OPUS]: as(OPUS),
    'audio/mpeg': to('voice'),
    'audio/aac': to('voice'),
    'audio/amr': to('voice'),
    'audio/mp4': to('voice'),
    'audio/wav': to('voice'),
    'audio/flac': to('voice'),
    'audio/ogg': to('voice'),
    'audio/ogg; codecs=vorbis': to('voice'),
    'video/mp4': to('voice'),
    'video/3gpp': to('voice'),
    'video/quicktime': to('voice'),
    'video/webm': to('voice'),
    'video/x-matroska': to('voice'),
    'video/x-msvideo': to('voice'),
  },
}

/** What a person may do instead, for files that are often sent and never shown. */
const ADVICE: Readonly<Record<string, string>> = {
  'image/heic': ': post a JPEG, or send it as document',
  'image/svg+xml': ': post a PNG or JPEG, or send it as document',
  'text/html': ': the URL may lead to a login or error page',
  'application/pdf': ': send it as document',
}

/** What is done with a file whose bytes show this type. Throws `MEDIA_UNREADABLE` for one that cannot be sent so. */
export function planOf(kind: MediaKind, shown: string | undefined): Plan {
  const plans = PLANS[kind]
  const plan = shown !== undefined && Object.hasOwn(plans, shown) ? plans[shown] : undefined
  if (plan !== undefined) return plan
  const advice = shown !== undefined && Object.hasOwn(ADVICE, shown) ? ADVICE[shown] : ''
  throw new JobFailure(
    'MEDIA_UNREADABLE',
    `the media is ${shown ?? 'of no format that is known here'}, which cannot be sent as ${kind}${advice}`,
  )
}
