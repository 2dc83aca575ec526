import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isJidNewsletter, jidNormalizedUser, type WAMessageKey } from '@whiskeysockets/baileys'
import type { UpdateEvent, WebhookEvent } from '../../shared/events.ts'
import { createBatcher } from '../redis/batch.ts'
import { FencedError } from '../redis/fenced.ts'
import { isOutage, tellOutage } from '../redis/outage.ts'
import type { SessionContext } from '../core.ts'
import { REMEMBERED, type Outbox } from '../outbox/outbox.ts'
import { keepNewest } from '../keep-newest.ts'

const LONGEST_PAUSE_MS = 1000
/** Most events that are made and appended together. */
const BATCH = 64

/** An event to append. */
export interface Inbound {
  /** Names the message, see {@link nameOf}. What has no name is appended as often as it comes. */
  name?: string
  /** What is told of it, one or more: all of them are stored before its receipt leaves. */
  events: () => Promise<(WebhookEvent | UpdateEvent)[]>
}

/** The line of one session's events into its outbox, in their order, as long as the lease is held. It outlives sockets. */
export interface InboundLine {
  /**
   * Appends the event after those before it, unless one of that name was. Resolves true when there is no more to do for it:
   * Redis has it, or it was set aside. False when Redis never will have it by our hand: the lease is lost. Never rejects.
   */
  push(inbound: Inbound): Promise<boolean>
  /** Whether an event of that name was appended, or is about to be. */
  knows(name: string): boolean
  /** Resolves when nothing that was pushed so far waits any more. Never rejects. */
  idle(): Promise<void>
}

/** Told of an event that cannot be stored, and why. */
export type SetAside = (error: unknown) => void

interface Waiting extends Inbound {
  done: (stored: boolean) => void
}

/**
 * Opens the line of a session; rejects when Redis does not tell what was appended before. Events that come while others
 * are on their way go together. In an outage of Redis they are tried again until it is over or the lease is gone; then
 * WhatsApp still has the messages, because their receipts were held back, and the next owner can decrypt them, because so
 * were the keys (see follow-inbound.ts). An event that fails for another reason would fail again, and everything behind it
 * would wait for ever: it is set aside.
 */
export async function openInboundLine(
  outbox: Outbox,
  session: SessionContext,
  setAside: SetAside,
): Promise<InboundLine> {
  const { fence, core, sessionId } = session
  const known = new Set((await outbox.received(fence, sessionId)).toReversed())
  /** What was set aside since the batch began, or has no name and was appended. */
  const over = new Set<string | Inbound>()
  const line = createBatcher<Waiting>({
    together: () => BATCH,
    async send(batch) {
      const isFirst = (item: Inbound, i: number) =>
        item.name === undefined || batch.findIndex(({ name }) => name === item.name) === i
      await appendAll(batch.filter(isFirst))
      for (const item of batch) item.done(!isLeft(item))
      over.clear()
    },
  })

  function isLeft(item: Inbound): boolean {
    return !over.has(item.name ?? item) && !(item.name !== undefined && known.has(item.name))
  }

  async function appendAll(batch: readonly Inbound[]): Promise<void> {
    let left = batch.filter(isLeft)
    for (let pauseMs = 50; left.length > 0; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const errors = await append(left)
      if (fence.signal.aborted || errors.some(error => error instanceof FencedError)) return
      left = left.filter(isLeft)
      if (left.length === 0) return
      tellOutage(core.log, errors[0], 'inbound messages cannot be stored yet')
      await sleep(pauseMs, undefined, { signal: fence.signal }).catch(() => undefined)
    }
  }

  /** Resolves with the errors after which the same may be tried again, or is useless. */
  async function append(batch: readonly Inbound[]): Promise<unknown[]> {
    const errors: unknown[] = []
    const failed = (item: Inbound, error: unknown): void => {
      if (error instanceof FencedError || isOutage(error)) errors.push(error)
      else {
        over.add(item.name ?? item)
        setAside(error)
      }
    }
    const made = await Promise.allSettled(batch.map(async ({ events }) => events()))
    // Called in one turn, so that they go in one command, in their order.
    const appended = batch.map(async (item, i) => {
      const outcome = made[i]
      if (outcome?.status !== 'fulfilled') return failed(item, outcome?.reason)
      const names = outcome.value.map((_event, at, all) => partName(item.name, all.length - at - 1))
      try {
        await Promise.all(outcome.value.map(async (event, at) => appendOne(event, names[at])))
        if (item.name === undefined) over.add(item)
      } catch (error) {
        failed(item, error)
      }
    })
    await Promise.all(appended)
    return errors
  }

  async function appendOne(event: WebhookEvent | UpdateEvent, name: string | undefined): Promise<void> {
    if (name === undefined) return void (await outbox.append(fence, event))
    if (known.has(name)) return
    await outbox.append(fence, event, { received: name })
    remember(name)
  }

  function remember(name: string): void {
    known.add(name)
    keepNewest(known, REMEMBERED)
  }

  return {
    push: async inbound =>
      new Promise(done => {
        line.add({ ...inbound, done })
      }),
    knows: name => known.has(name) || line.waiting.some(each => each.name === name),
    idle: async () => line.idle(),
  }
}

/** The last event of a message has its name: a message that comes again after a crash between two has those that are left appended. */
function partName(name: string | undefined, left: number): string | undefined {
  return left === 0 || name === undefined ? name : `${name}!${left}`
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
