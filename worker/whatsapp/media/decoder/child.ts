/**
 * The process that decodes media, and the only place that does. It gets paths from its parent and answers; it has no
 * secrets, no sockets and no leases. The parent kills it when it takes too long or too much memory.
 */
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseFile } from 'music-metadata'
import { imagePreview, toSticker, toStill } from './image.ts'
import type { Answers, Question } from './protocol.ts'
import { waveformOf } from './waveform.ts'

// Should memory get short, the kernel ends this process before the one that holds the sessions.
try {
  writeFileSync('/proc/self/oom_score_adj', '1000')
} catch {
  // Not Linux.
}

process.on('disconnect', () => process.exit())
process.on('message', question => void reply(question as Question))

async function reply(question: Question): Promise<void> {
  try {
    process.send?.({ answer: await answer(question) })
  } catch {
    // The words of a decoder may quote the file.
    process.send?.({ failed: true })
  }
}

async function answer(question: Question): Promise<Answers[Question['what']]> {
  if (question.what === 'preview') return imagePreview(question.path)
  if (question.what === 'still') return toStill(question.path, question.to)
  if (question.what === 'waveform') return { loudness: await waveformOf(question.path) }
  if (question.what === 'sticker') return toSticker(question.path, question.to)
  const { format } = await parseFile(question.path, { duration: true, skipCovers: true })
  const { duration: seconds = NaN } = format
  // The library writes names that it does not know in angle brackets.
  const codecs = format.trackInfo.flatMap(({ codecName }) => codecName?.replaceAll(/[<>]/g, '') ?? [])
  if (!Number.isFinite(seconds) && codecs.length === 0) throw new Error('no duration and no tracks')
  return { codecs, ...(Number.isFinite(seconds) && { seconds }) }
}
