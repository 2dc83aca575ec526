/** What the decoding child is asked, about files by their paths. */
export type Question =
  | { what: 'preview'; path: string }
  /** `to`: where the sticker is written when the file is none yet. */
  | { what: 'sticker'; path: string; to: string }
  /** `to`: where a picture that phones show is written. */
  | { what: 'still'; path: string; to: string }
  | { what: 'duration'; path: string }
  /** Of a file that {@link Conversion} `samples` made. */
  | { what: 'waveform'; path: string }

/** What ffmpeg is asked: to make a file of another. `from`: the media type that its bytes show. */
export interface ConvertQuestion {
  what: 'convert'
  conversion: Conversion
  from: string
  path: string
  to: string
}

/**
 * What a file is made into. `voice`: Opus in Ogg; `audio`: AAC in MP4; `video`: H.264 and AAC in MP4; `loop`: the same
 * without sound; `jpeg`: its first picture; `samples`: raw sound for the waveform, {@link SAMPLE_RATE} 16-bit samples a second.
 */
export type Conversion = 'voice' | 'audio' | 'video' | 'loop' | 'jpeg' | 'samples'

/** See {@link Conversion}. */
export const SAMPLE_RATE = 8000

/** What the recipient's phone shows before the image is downloaded. */
export interface ImagePreview {
  width: number
  height: number
  /** Base64, as Baileys takes it. */
  jpegThumbnail: string
}

/** A sticker as WhatsApp shows it: at the `to` of the question, or the file itself, which was one already. */
export interface Sticker {
  isAnimated: boolean
  isMade: boolean
}

/** A picture at the `to` of the question. One that moves is not made: it would stand still. */
export type Still = { isAnimated: true } | { isAnimated: false; mimetype: 'image/jpeg' | 'image/png' }

/** The answer to each question. */
export interface Answers {
  preview: ImagePreview
  sticker: Sticker
  still: Still
  /** `seconds`: absent where the file does not say. `codecs`: how its tracks are coded, by the names that its container gives them, such as `avc1`. */
  duration: { seconds?: number; codecs: string[] }
  /** 64 loudnesses from 0 to 100, as WhatsApp draws them. */
  waveform: { loudness: number[] }
  convert: { made: true }
}

/** The images that are decoded; ffmpeg may make others into one of these. */
export const DECODED_IMAGES: ReadonlySet<string> = new Set([
  'image/jpeg',
  'image/png',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/tiff',
])
