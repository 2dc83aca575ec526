import { join } from 'node:path'
import { JobFailure } from '../../jobs/job.ts'
import { DecodeError } from './decoder/limited.ts'
import type { Answers, Conversion, ConvertQuestion, Question } from './decoder/protocol.ts'
import type { MediaFile } from './file.ts'
import { MADE, planOf, type MediaKind } from './plan.ts'

/** A file on its way, and who works on it. */
export interface Work {
  file: Pick<MediaFile, 'path' | 'folder'>
  /** The type that its bytes show. */
  shown: string | undefined
  ask: Ask
  /** Whether there is an ffmpeg. */
  converts: boolean
}

/** Has a file decoded or converted for the job's session. Rejects with {@link DecodeError}. */
export type Ask = <W extends keyof Answers>(
  question: Extract<Question | ConvertQuestion, { what: W }>,
) => Promise<Answers[W]>

/** A file that phones open. */
export interface Ready {
  path: string
  mimetype: string
  /** A video that runs again and again, as a GIF does. */
  isLoop: boolean
}

/**
 * Makes a file into one that phones open, where it is none. Throws `MEDIA_UNREADABLE` for one that is not what it should
 * be, and `MEDIA_UNSUPPORTED` for one that only a conversion could help, which cannot be made here.
 */
export async function prepare(kind: MediaKind, work: Work): Promise<Ready> {
  const { path } = work.file
  const plan = planOf(kind, work.shown)
  if (plan.do === 'send') {
    const better =
      kind === 'video' && (await isNewCodec(work)) ? await unlessUnreadable(convert('video', work)) : undefined
    return better ?? { path, mimetype: plan.mimetype, isLoop: false }
  }
  if (plan.do !== 'convert') return still(work)
  if (plan.otherwise === undefined) return converted(kind, plan.to, work)
  const made = work.converts ? await unlessUnreadable(convert(plan.to, work)) : undefined
  return made ?? { path, mimetype: plan.otherwise, isLoop: false }
}

/** Codecs that come in MP4, too, and that not every phone has: HEVC, VP9 and AV1. */
const NEW_CODECS = new Set(['hev1', 'hvc1', 'vp09', 'av01'])

async function isNewCodec({ file, ask, converts }: Work): Promise<boolean> {
  if (!converts) return false
  const found = await unlessUnreadable(ask({ what: 'duration', path: file.path }))
  return found?.codecs.some(codec => NEW_CODECS.has(codec)) === true
}

async function still(work: Work): Promise<Ready> {
  const to = join(work.file.folder, 'still')
  const made = await unlessUnreadable(work.ask({ what: 'still', path: work.file.path, to }))
  if (made === undefined) throw new JobFailure('MEDIA_UNREADABLE', 'the image cannot be decoded')
  if (!made.isAnimated) return { path: to, mimetype: made.mimetype, isLoop: false }
  if (work.shown === 'image/gif') return converted('image', 'loop', work)
  throw new JobFailure('MEDIA_UNSUPPORTED', 'the image moves, which only a GIF, a video or a sticker can')
}

/** What must be so, and what may be done about it, where a file has to be converted. */
const MUST: Readonly<Record<Conversion, string>> = {
  voice: 'a voice note must be Opus in Ogg',
  audio: 'phones play MP3, AAC or Opus',
  video: 'phones play MP4 with H.264',
  loop: 'a GIF that moves goes out as a video (without ffmpeg: post it as MP4, or send it as sticker or document)',
  jpeg: 'phones show JPEG and PNG',
  samples: 'the sound is needed',
}

async function converted(kind: MediaKind, conversion: Conversion, work: Work): Promise<Ready> {
  const reason = `${MUST[conversion]}, and the media is ${work.shown}`
  if (!work.converts) {
    const message = `${reason}: ffmpeg, which would convert it, is not on the PATH of the worker`
    throw new JobFailure('MEDIA_UNSUPPORTED', message)
  }
  return convert(conversion, work).catch((error: unknown) => {
    if (!(error instanceof DecodeError)) throw error
    const why = error.reason === 'stopped' ? 'took too long or too much memory' : 'failed'
    throw new JobFailure('MEDIA_UNREADABLE', `${reason}: its conversion to ${kind} ${why}`)
  })
}

async function convert(conversion: Conversion, { file, shown = '', ask }: Work): Promise<Ready> {
  const to = join(file.folder, conversion)
  await ask({ what: 'convert', conversion, from: shown, path: file.path, to })
  return { path: to, mimetype: MADE[conversion], isLoop: conversion === 'loop' }
}

/** Undefined for a file that cannot be decoded, or not in time. */
export async function unlessUnreadable<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
