import type { BinaryNode, WASocket } from '@whiskeysockets/baileys'
import { JobFailure } from '../jobs/job.ts'
import { refused, socketClosed } from './failures.ts'

/** Waits for what WhatsApp's server says of the messages of one socket. One for each socket. */
export interface Acks {
  /** Call before the message is written, and `drop` in any case: the ack may be there before the write returns. */
  expect(messageId: string): PendingAck
}

/** The ack of one message. */
export interface PendingAck {
  /**
   * Call when the message is written: the time to wait starts. Resolves on the server's ack; rejects with a
   * `JobFailure`: `WHATSAPP_REFUSED` (an error ack), `ACK_TIMEOUT`, or `retry: 'wait'` when the socket closed first.
   */
  wait(): Promise<void>
  /** Forgets it. */
  drop(): void
}

/** WhatsApp acks within a second; a message that is not acked by now is sent again under the same id. */
export const ACK_TIMEOUT_MS = 30_000

/** Baileys' own name for a frame `<ack class="message">`. It passes on every frame under such names. */
const MESSAGE_ACK = 'CB:ack,class:message'

/** What is used of a socket: its stream of frames. */
export type AckSource = Pick<WASocket['ws'], 'on' | 'off'>

type Outcome = 'acked' | JobFailure

interface Pending {
  outcome: Outcome | undefined
  settle: ((outcome: Outcome) => void) | undefined
}

/**
 * Follows the acks of one socket. Baileys' `sendMessage` resolves when bytes are written, and it tells of an error ack
 * in one of two events depending on timing, so the frames themselves are read.
 */
export function followAcks(ws: AckSource, timeoutMs = ACK_TIMEOUT_MS): Acks & { close(): void } {
  const pending = new Map<string, Pending>()
  let closed = false

  const settle = (entry: Pending | undefined, outcome: Outcome) => {
    if (entry === undefined) return
    entry.outcome ??= outcome
    entry.settle?.(outcome)
  }
  const onAck = ({ attrs }: BinaryNode) => {
    const { id, error } = attrs
    if (id !== undefined) settle(pending.get(id), error === undefined ? 'acked' : refused(error))
  }
  ws.on(MESSAGE_ACK, onAck)

  return {
    expect(messageId) {
      const entry: Pending = { outcome: closed ? socketClosed() : undefined, settle: undefined }
      pending.set(messageId, entry)
      return {
        wait: async () => {
          const outcome = entry.outcome ?? (await first(entry, timeoutMs))
          if (outcome !== 'acked') throw outcome
        },
        drop: () => {
          if (pending.get(messageId) === entry) pending.delete(messageId)
        },
      }
    },
    close() {
      if (closed) return
      closed = true
      ws.off(MESSAGE_ACK, onAck)
      for (const entry of pending.values()) settle(entry, socketClosed())
    },
  }
}

async function first(entry: Pending, timeoutMs: number): Promise<Outcome> {
  return new Promise(resolve => {
    const timer = setTimeout(() => {
      resolve(new JobFailure('ACK_TIMEOUT', `WhatsApp did not ack within ${timeoutMs} ms`, 'backoff'))
    }, timeoutMs)
    entry.settle = outcome => {
      clearTimeout(timer)
      resolve(outcome)
    }
  })
}
