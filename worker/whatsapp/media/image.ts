import sharp, { type Sharp } from 'sharp'
import { JobFailure } from '../../types.ts'

/** Most pixels, over all frames, that are decoded: a small file can unfold to gigabytes. About 64 megapixels. */
const MAX_PIXELS = 8192 * 8192
const TIMEOUT_SECONDS = 20
const STICKER_SIZE = 512
/** Frames of a moving sticker: each takes a megabyte while it is made, however small it was. */
const MAX_FRAMES = 80
const THUMBNAIL_WIDTH = 72

/** What the recipient's phone shows before the image is downloaded. */
export interface ImagePreview {
  width: number
  height: number
  /** Base64, as Baileys takes it. */
  jpegThumbnail: string
}

/** Size and thumbnail of an image; undefined when it cannot be decoded, since WhatsApp may still know it. */
export async function imagePreview(path: string): Promise<ImagePreview | undefined> {
  try {
    const image = sharp(path, { limitInputPixels: MAX_PIXELS, autoOrient: true }).timeout({ seconds: TIMEOUT_SECONDS })
    const { autoOrient } = await image.metadata()
    const thumbnail = await image.resize({ width: THUMBNAIL_WIDTH }).jpeg({ quality: 50 }).toBuffer()
    return { ...autoOrient, jpegThumbnail: thumbnail.toString('base64') }
  } catch {
    return undefined
  }
}

/** A sticker as WhatsApp shows it. */
export interface Sticker {
  /** The path of the file that was good as it is, or the bytes of a new one. */
  media: { url: string } | Buffer
  isAnimated: boolean
}

/**
 * A WebP of 512 by 512 pixels, moving if the image moves. A file that is one already is left byte for byte. Throws
 * `MEDIA_UNREADABLE`.
 */
export async function toSticker(path: string): Promise<Sticker> {
  try {
    const { format, width, height, pageHeight, pages = 1 } = await openFrames(path, -1).metadata()
    if (width * height > MAX_PIXELS) throw new Error('too many pixels')
    const isAnimated = pages > 1
    if (format === 'webp' && width === STICKER_SIZE && (pageHeight ?? height) === STICKER_SIZE) {
      return { media: { url: path }, isAnimated }
    }
    const transparent = { r: 0, g: 0, b: 0, alpha: 0 }
    const media = await openFrames(path, Math.min(pages, MAX_FRAMES))
      .resize({ width: STICKER_SIZE, height: STICKER_SIZE, fit: 'contain', background: transparent })
      .webp({ quality: isAnimated ? 60 : 80, effort: 4 })
      .toBuffer()
    return { media, isAnimated }
  } catch {
    // libvips' own words may quote the file; a person needs to know only that it cannot be decoded.
    throw new JobFailure('MEDIA_UNREADABLE', 'the image cannot be made into a sticker')
  }
}

/** The first frames of an image; -1 stands for all. */
function openFrames(path: string, pages: number): Sharp {
  return sharp(path, { pages, limitInputPixels: MAX_PIXELS }).timeout({ seconds: TIMEOUT_SECONDS })
}
