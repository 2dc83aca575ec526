import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isJidNewsletter, jidNormalizedUser, type WAMessageKey } from '@whiskeysockets/baileys'
import type { WebhookEvent } from '../../shared/events.ts'
import { FencedError } from '../redis/fenced.ts'
import type { SessionContext } from '../sessions/context.ts'
import { REMEMBERED, type Outbox } from '../types.ts'
import { keepNewest } from '../keep-newest.ts'

const LONGEST_PAUSE_MS = 1000
/** Most events that are made and appended together. */
const BATCH = 64

/** An event to append. */
export interface Inbound {
  /** Names the message, see {@link nameOf}. */
  name: string
  event: () => Promise<WebhookEvent>
}

/** The line of one session's events into its outbox, in their order, as long as the lease is held. It outlives sockets. */
export interface InboundLine {
  /**
   * Appends the event after those before it, unless one of that name was. Resolves true when Redis has it, false when it
   * never will by our hand: the lease is lost. Never rejects.
   */
  push(inbound: Inbound): Promise<boolean>
  /** Whether an event of that name was appended, or is about to be. */
  knows(name: string): boolean
  /** Resolves when nothing that was pushed so far waits any more. Never rejects. */
  idle(): Promise<void>
}

interface Waiting extends Inbound {
  done: (stored: boolean) => void
}

/**
 * Opens the line of a session; rejects when Redis does not tell what was appended before. Events that come while others
 * are on their way go together. What fails is tried again, and everything behind it waits, until it succeeds or the lease
 * is gone; then WhatsApp still has the messages, because their receipts were held back, and the next owner can decrypt
 * them, because so were the keys (see follow-inbound.ts).
 */
export async function openInboundLine(outbox: Outbox, session: SessionContext): Promise<InboundLine> {
  const { fence, core, sessionId } = session
  const known = new Set((await outbox.received(fence, sessionId)).toReversed())
  const waiting: Waiting[] = []
  let drained: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH)
      await appendAll(batch.filter(({ name }, i) => batch.findIndex(each => each.name === name) === i))
      waiting.splice(0, batch.length)
      for (const { name, done } of batch) done(known.has(name))
    }
    drained = undefined
  }

  async function appendAll(batch: readonly Inbound[]): Promise<void> {
    let left = batch.filter(({ name }) => !known.has(name))
    for (let pauseMs = 50; left.length > 0; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await append(left)
      } catch (error) {
        if (error instanceof FencedError || fence.signal.aborted) return
        const reason = error instanceof Error ? error.message : 'unknown'
        core.log.warn({ sessionId, reason }, 'inbound messages cannot be stored yet')
        await sleep(pauseMs, undefined, { signal: fence.signal }).catch(() => undefined)
      }
      left = left.filter(({ name }) => !known.has(name))
    }
  }

  async function append(batch: readonly Inbound[]): Promise<void> {
    const made = await Promise.all(batch.map(async ({ name, event }) => ({ name, event: await event() })))
    const appended = made.map(async ({ name, event }) => {
      await outbox.append(fence, event, { received: name })
      remember(name)
    })
    const failed = (await Promise.allSettled(appended)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  }

  function remember(name: string): void {
    known.add(name)
    keepNewest(known, REMEMBERED)
  }

  return {
    push: async inbound =>
      new Promise(done => {
        waiting.push({ ...inbound, done })
        drained ??= drain()
      }),
    knows: name => known.has(name) || waiting.some(each => each.name === name),
    idle: async () => drained,
  }
}

/**
 * Names a message among those of its session, in 16 characters: its id is the sender's choice, so chat and author belong to
 * it. Posts of a channel keep their id when they are edited, so they are told apart by `content`.
 */
export function nameOf({ remoteJid, participant, fromMe, id }: WAMessageKey, content?: unknown): string {
  const said = isJidNewsletter(remoteJid ?? '') === true ? content : undefined
  const parts = [personOf(remoteJid), personOf(participant), fromMe === true, id, said]
  return createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 12).toString('base64url')
}

/** A jid without device, and without telling whose servers the device is on. */
function personOf(jid: string | null | undefined): string {
  return jidNormalizedUser(jid ?? '')
    .replace(/@hosted$/, '@s.whatsapp.net')
    .replace(/@hosted\.lid$/, '@lid')
}
