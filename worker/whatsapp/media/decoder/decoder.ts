import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { convert } from './ffmpeg.ts'
import { DecodeError, limited } from './limited.ts'
import type { Answers, ConvertQuestion, Question } from './protocol.ts'
import { createTurns } from './turns.ts'

/** Decodes what outsiders made, in processes of their own. */
export interface Decoder {
  /** Whether there is an ffmpeg, so that `convert` can be asked for. */
  converts: boolean
  /** Rejects with {@link DecodeError}, or with the signal's reason. */
  ask<W extends keyof Answers>(
    sessionId: string,
    question: Extract<Question | ConvertQuestion, { what: W }>,
    signal: AbortSignal,
  ): Promise<Answers[W]>
  /** Ends the process. */
  close(): void
}

/** What one file may take. */
export interface DecoderLimits {
  /** ms. */
  deadlineMs: number
  /** The same for a sticker, ms: one that moves has up to 80 frames to be made. */
  stickerMs: number
  /** The same for a conversion of sound or pictures by ffmpeg, ms. */
  convertMs: number
  /** Of the process, code and libraries included. */
  rssBytes: number
  /** How long the process stays when there is nothing to do, in ms. */
  idleMs: number
  /**
   * Seconds of CPU that the process may use in all: should the worker be killed while its child is in a loop, the kernel
   * ends it. It is replaced long before, or good files would be ended with it.
   */
  cpuSeconds: number
}

const MIB = 1024 * 1024
const LIMITS: DecoderLimits = {
  deadlineMs: 5000,
  stickerMs: 15_000,
  convertMs: 60_000,
  rssBytes: 320 * MIB,
  idleMs: 30_000,
  cpuSeconds: 60,
}
const HEAP_MIB = 96
/** Which part of its CPU time a process may spend before it is replaced: a file may keep two threads busy. */
const LIFE = 1 / 3
const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))

/**
 * See {@link Decoder}. One file at a time, so that a container that is large enough for one is large enough; a session
 * whose files had to be stopped waits behind the others. The process starts when there is something to decode.
 */
export function createDecoder({
  ffmpeg,
  limits = LIMITS,
}: {
  ffmpeg?: string | undefined
  limits?: DecoderLimits
}): Decoder {
  const turns = createTurns()
  let child: ChildProcess | undefined
  let idle: NodeJS.Timeout | undefined
  /** How long the process has worked, in ms. */
  let worked = 0

  function started(): ChildProcess {
    clearTimeout(idle)
    if (child?.connected) return child
    const node = [`--max-old-space-size=${HEAP_MIB}`, '--no-warnings', CHILD]
    // The shell sets the limit and becomes the process. Nothing of our environment goes along.
    const script = `ulimit -t ${limits.cpuSeconds}; exec "$0" "$@"`
    worked = 0
    child = spawn('/bin/sh', ['-c', script, process.execPath, ...node], {
      env: { UV_THREADPOOL_SIZE: '2', MALLOC_ARENA_MAX: '2' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'json',
    })
    child.unref()
    child.channel?.unref()
    // A process that cannot be started tells by its end.
    child.on('error', () => {})
    return child
  }

  function stop(): void {
    child?.kill('SIGKILL')
    child = undefined
  }

  async function decode(question: Question, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted()
    const asked = started()
    const startedAt = performance.now()
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const onMessage = (message: unknown): void => {
      const { answer } = message as { answer?: unknown }
      if (answer === undefined) reject(new DecodeError('unreadable'))
      else resolve(answer)
    }
    const onExit = (): void => {
      stop()
      reject(new DecodeError('stopped'))
    }
    asked.on('message', onMessage).on('exit', onExit)
    asked.send(question, error => error && onExit())
    const deadlineMs = question.what === 'sticker' ? limits.stickerMs : limits.deadlineMs
    try {
      return await limited(asked, { deadlineMs, rssBytes: limits.rssBytes }, signal, promise, stop)
    } finally {
      asked.off('message', onMessage).off('exit', onExit)
      worked += performance.now() - startedAt
      if (worked > limits.cpuSeconds * 1000 * LIFE) stop()
      else idle = setTimeout(stop, limits.idleMs).unref()
    }
  }

  async function answer(question: Question | ConvertQuestion, signal: AbortSignal): Promise<unknown> {
    if (question.what !== 'convert') return decode(question, signal)
    if (ffmpeg === undefined) throw new DecodeError('no-ffmpeg')
    // One process at a time, so that a container that is large enough for one is large enough.
    stop()
    return convert(ffmpeg, question, { deadlineMs: limits.convertMs, rssBytes: limits.rssBytes }, signal)
  }

  return {
    converts: ffmpeg !== undefined,
    async ask(sessionId, question, signal) {
      const outcome = await turns.take(sessionId, async () => {
        try {
          return { value: await answer(question, signal), late: false }
        } catch (error) {
          return { error, late: error instanceof DecodeError && error.reason === 'stopped' }
        }
      })
      if ('error' in outcome) throw outcome.error
      return outcome.value as never
    },
    close() {
      clearTimeout(idle)
      stop()
    },
  }
}
