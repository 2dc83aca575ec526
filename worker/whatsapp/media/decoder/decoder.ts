import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createTurns } from './turns.ts'
import type { Answers, Question } from './protocol.ts'

/** Why a file was not decoded. `unreadable`: the decoder said so. `stopped`: it took too long or too much memory. */
export class DecodeError extends Error {
  readonly reason: 'unreadable' | 'stopped'

  constructor(reason: DecodeError['reason']) {
    super(`media not decoded: ${reason}`)
    this.name = 'DecodeError'
    this.reason = reason
  }
}

/** Decodes what outsiders made, in a process of its own. */
export interface Decoder {
  /** Rejects with {@link DecodeError}, or with the signal's reason. */
  ask<W extends Question['what']>(
    sessionId: string,
    question: Extract<Question, { what: W }>,
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
  rssBytes: 320 * MIB,
  idleMs: 30_000,
  cpuSeconds: 60,
}
const HEAP_MIB = 96
/** Which part of its CPU time a process may spend before it is replaced: a file may keep two threads busy. */
const LIFE = 1 / 3
const WATCH_MS = 20
const PAGE_BYTES = 4096
const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))

/**
 * See {@link Decoder}. One file at a time, so that a container that is large enough for one is large enough; a session
 * whose files had to be stopped waits behind the others. The process starts when there is something to decode.
 */
export function createDecoder(limits: DecoderLimits = LIMITS): Decoder {
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
    const give = (error: unknown) => () => {
      stop()
      reject(error)
    }
    const onExit = give(new DecodeError('stopped'))
    const onAbort = () => give(signal.reason)()
    const deadline = setTimeout(onExit, question.what === 'sticker' ? limits.stickerMs : limits.deadlineMs)
    const watch = setInterval(() => rssOf(asked.pid) > limits.rssBytes && onExit(), WATCH_MS)
    asked.on('message', onMessage).on('exit', onExit)
    signal.addEventListener('abort', onAbort, { once: true })
    asked.send(question, error => error && onExit())
    try {
      return await promise
    } finally {
      clearTimeout(deadline)
      clearInterval(watch)
      asked.off('message', onMessage).off('exit', onExit)
      signal.removeEventListener('abort', onAbort)
      worked += performance.now() - startedAt
      if (worked > limits.cpuSeconds * 1000 * LIFE) stop()
      else idle = setTimeout(stop, limits.idleMs).unref()
    }
  }

  return {
    async ask(sessionId, question, signal) {
      const outcome = await turns.take(sessionId, async () => {
        try {
          return { value: await decode(question, signal), late: false }
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

/** Bytes of memory that a process has now; 0 where that cannot be read, and then the heap's limit has to do. */
function rssOf(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * PAGE_BYTES
  } catch {
    return 0
  }
}
