import sharp, { type Metadata, type Sharp } from 'sharp'
import type { ImagePreview, Sticker, Still } from './protocol.ts'

// Every loader of libvips is off but those of the formats that were recognised: others read more than the file (SVG takes
// files of its folder along), or are seldom looked at by those who mend them.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: [
    'VipsForeignLoadJpegFile',
    'VipsForeignLoadPngFile',
    'VipsForeignLoadWebpFile',
    'VipsForeignLoadNsgifFile',
    // AVIF alone of its formats: there is no decoder for HEIC's.
    'VipsForeignLoadHeifFile',
    'VipsForeignLoadTiffFile',
  ],
})
sharp.cache(false)
sharp.concurrency(1)

/** Most pixels, over all frames, that are decoded: a small file can unfold to gigabytes. About 64 megapixels. */
const MAX_PIXELS = 8192 * 8192
/** Most bytes of a decoded image that cannot be read line by line, and is in memory as a whole. */
const MAX_WHOLE_BYTES = 96 * 1024 * 1024
const STICKER_SIZE = 512
/** Frames of a moving sticker: each takes a megabyte while it is made, however small it was. */
const MAX_FRAMES = 80
const THUMBNAIL = { width: 72, height: 720 }

/** Size and thumbnail of an image. Rejects when it cannot be decoded within bounds. */
export async function imagePreview(path: string): Promise<ImagePreview> {
  const image = sharp(path, { limitInputPixels: MAX_PIXELS, autoOrient: true })
  const metadata = await image.metadata()
  checkSize(metadata)
  const thumbnail = await image
    .resize({ ...THUMBNAIL, fit: 'inside' })
    .jpeg({ quality: 50 })
    .toBuffer()
  return { ...metadata.autoOrient, jpegThumbnail: thumbnail.toString('base64') }
}

/**
 * Writes a WebP of 512 by 512 pixels to `to`, moving if the image moves. A file that is one already is left byte for
 * byte. Rejects when it cannot be decoded within bounds.
 */
export async function toSticker(path: string, to: string): Promise<Sticker> {
  const metadata = await openFrames(path, -1).metadata()
  const { format, width, height, pageHeight, pages = 1 } = metadata
  if (width * height > MAX_PIXELS) throw new Error('too many pixels')
  const isAnimated = pages > 1
  if (format === 'webp' && width === STICKER_SIZE && (pageHeight ?? height) === STICKER_SIZE) {
    return { isAnimated, isMade: false }
  }
  if (!isAnimated) checkSize(metadata)
  const transparent = { r: 0, g: 0, b: 0, alpha: 0 }
  await openFrames(path, Math.min(pages, MAX_FRAMES))
    .resize({ width: STICKER_SIZE, height: STICKER_SIZE, fit: 'contain', background: transparent })
    .webp({ quality: isAnimated ? 60 : 80, effort: 4 })
    .toFile(to)
  return { isAnimated, isMade: true }
}

/**
 * Writes a picture that phones show to `to`: a JPEG, or a PNG when it can be seen through. One that moves is not made.
 * Rejects when it cannot be decoded within bounds.
 */
export async function toStill(path: string, to: string): Promise<Still> {
  const image = sharp(path, { limitInputPixels: MAX_PIXELS, autoOrient: true })
  const metadata = await image.metadata()
  if (metadata.format !== 'tiff' && (metadata.pages ?? 1) > 1) return { isAnimated: true }
  checkSize(metadata)
  if (metadata.hasAlpha) await image.png().toFile(to)
  else await image.jpeg({ quality: 90 }).toFile(to)
  return { isAnimated: false, mimetype: metadata.hasAlpha ? 'image/png' : 'image/jpeg' }
}

/** The first frames of an image; -1 stands for all. */
function openFrames(path: string, pages: number): Sharp {
  return sharp(path, { pages, limitInputPixels: MAX_PIXELS })
}

/** A baseline JPEG is scaled down while it is read; all others are in memory as a whole at some time. */
function checkSize({ format, width, height, channels, depth, isProgressive }: Metadata): void {
  if (format === 'jpeg' && !isProgressive) return
  const sampleBytes = depth === 'uchar' || depth === 'char' ? 1 : depth === 'ushort' || depth === 'short' ? 2 : 8
  if (width * height * channels * sampleBytes > MAX_WHOLE_BYTES) throw new Error('too large when it is decoded')
}
