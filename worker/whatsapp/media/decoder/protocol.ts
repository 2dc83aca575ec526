/** What the decoding child is asked, about files by their paths. */
export type Question =
  | { what: 'preview'; path: string }
  /** `to`: where the sticker is written when the file is none yet. */
  | { what: 'sticker'; path: string; to: string }
  | { what: 'duration'; path: string }

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

/** The answer to each question. */
export interface Answers {
  preview: ImagePreview
  sticker: Sticker
  duration: { seconds: number }
}

/** The formats that are decoded. Everything else is passed on undecoded, or refused where it would have to be decoded. */
export const DECODED_IMAGES: ReadonlySet<string> = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp'])
