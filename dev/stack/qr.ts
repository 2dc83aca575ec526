import { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { keys } from '../../shared/keys.ts'
import type { Arrival } from '../inbox/arrival.ts'

const POLL_MS = 1000

/** A QR that a session shows now. */
export interface ShownQr {
  sessionId: string
  /** What the QR says. */
  text: string
}

/** Calls back once for each new QR, whatever tells of it and however often. */
export function onceEach(onQr: (qr: ShownQr) => void): (qr: ShownQr) => void {
  const last = new Map<string, string>()
  return qr => {
    if (last.get(qr.sessionId) === qr.text) return
    last.set(qr.sessionId, qr.text)
    onQr(qr)
  }
}

/** The QR that a webhook tells of, if it does. */
export function qrOf({ event }: Arrival): ShownQr | undefined {
  if (event?.event !== 'connection.update' || event.data.qr === undefined) return undefined
  return { sessionId: event.sessionId, text: event.data.qr }
}

/** Looks for QRs in Redis, for a stack whose webhooks go elsewhere. Resolves on abort. */
export async function pollQrs(options: {
  redisUrl: string
  partitions: number
  onQr: (qr: ShownQr) => void
  signal: AbortSignal
}): Promise<void> {
  const { redisUrl, partitions, onQr, signal } = options
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null })
  redis.on('error', () => {})
  signal.addEventListener('abort', () => redis.disconnect())
  while (!signal.aborted) {
    try {
      for (let partition = 0; partition < partitions; partition++) {
        for (const sessionId of await redis.smembers(keys.started(partition))) {
          const text = await redis.hget(keys.session(sessionId), 'qr')
          if (text !== null && text !== '') onQr({ sessionId, text })
        }
      }
      await sleep(POLL_MS, undefined, { signal })
    } catch {
      // Redis is away or we are stopping; the loop's condition knows which.
    }
  }
}
