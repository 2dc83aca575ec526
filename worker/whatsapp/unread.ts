import { keys } from '../../shared/keys.ts'
import type { UpdateEvent } from '../../shared/events.ts'
import type { SessionContext } from '../core.ts'
import { keepNewest } from '../keep-newest.ts'
import { fencedScript, FencedError } from '../redis/fenced.ts'
import { persist } from '../redis/persist.ts'
import { readHash } from '../redis/reads.ts'
import { REMEMBERED } from '../outbox/outbox.ts'
import type { InboundLine, SetAside } from './inbound.ts'
import type { KeyJson } from './key-json.ts'
import type { UnreadReason } from './unread-reason.ts'

/** How long a message that was asked for again may take: its sender may be off line. If it comes later, it is an event all the same. */
export const UNREAD_MS = 5 * 60_000
/** Most messages of a session that are waited for; of more, the oldest is given up. Strangers cause them. */
const MOST_WAITING = 500
/** Longest JSON of one; a key has about 200 characters, and its sender chooses the id. */
const MOST_JSON = 4096

/** A message that cannot be read, so far or for good. */
export interface Unread {
  key: KeyJson
  reason: UnreadReason
}

/** A session's messages that could not be read. */
export interface UnreadMessages {
  /** It was asked for again. Resolves when Redis knows, or nobody wants to. Never rejects. */
  waits(name: string, unread: Unread): Promise<void>
  /** It will not come again. Resolves true when it is told, or never will be by this worker. Never rejects. */
  givenUp(name: string, unread: Unread): Promise<boolean>
  /** Gives up one that waits, if it does. */
  spent(name: string): void
  /** It could be read after all. */
  arrived(name: string): void
  /** The name of the one that waits under this id: the phone, when asked for it, may name its chat and author otherwise. */
  nameOf(messageId: string): string | undefined
  /** Nothing of it is kept in memory. */
  close(): void
}

/** How {@link openUnread} tells. */
export interface UnreadOptions {
  line: InboundLine
  /** Whether there are events of it; else only `onGivenUp` hears. */
  isTold: boolean
  /** Told once of each message that is given up, for metrics. */
  onGivenUp: (reason: UnreadReason) => void
  setAside: SetAside
  /** Default: {@link UNREAD_MS}. */
  waitMs?: number
}

interface Waiting extends Unread {
  /** When it was found unreadable, in ms. */
  at: number
}

// KEYS unread; ARGV name, value.
const KEEP = fencedScript(`return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])`)
// KEYS unread; ARGV name.
const FORGET = fencedScript(`return redis.call('HDEL', KEYS[1], ARGV[1])`)

/**
 * Follows the messages that could not be read until each has come after all, or is given up: then an event tells of it, once.
 * WhatsApp forgets them when they are asked for again, so they are in Redis before that. Rejects when Redis does not
 * tell which waited before.
 */
export async function openUnread(session: SessionContext, options: UnreadOptions): Promise<UnreadMessages> {
  const { sessionId, fence, core } = session
  const { line, isTold, onGivenUp, setAside, waitMs = UNREAD_MS } = options
  const waiting = new Map<string, Waiting>()
  /** Names of those that were given up. */
  const told = new Set<string>()
  let timer: NodeJS.Timeout | undefined

  const kept = isTold ? await readHash(core.redis, fence, keys.unread(sessionId)) : {}
  for (const [name, json] of Object.entries(kept)) {
    if (line.knows(name)) void forget(name)
    else waiting.set(name, JSON.parse(json) as Waiting)
  }
  rearm()

  function rearm(): void {
    clearTimeout(timer)
    const [oldest] = waiting.values()
    if (oldest === undefined) return
    timer = setTimeout(giveUpOld, Math.max(0, oldest.at + waitMs - core.clock.now())).unref()
  }

  function giveUpOld(): void {
    for (const [name, { at }] of waiting) if (at + waitMs <= core.clock.now()) spent(name)
    rearm()
  }

  function spent(name: string): void {
    const unread = waiting.get(name)
    if (unread === undefined) return
    waiting.delete(name)
    void tell(name, unread).catch(setAside)
  }

  async function tell(name: string, { key, reason }: Unread): Promise<boolean> {
    const eventName = `?${name}`
    if (told.has(name) || line.knows(name) || line.knows(eventName)) {
      await forget(name)
      return true
    }
    told.add(name)
    keepNewest(told, REMEMBERED)
    onGivenUp(reason)
    core.log.warn({ sessionId, reason }, 'a message cannot be decrypted')
    if (!isTold) return true
    const event = (): UpdateEvent => ({
      event: 'messages.undecryptable',
      sessionId,
      timestamp: Math.floor(core.clock.now() / 1000),
      data: { key, reason },
    })
    const stored = await line.push({ name: eventName, events: async () => [event()] })
    if (stored) await forget(name)
    return stored
  }

  async function forget(name: string): Promise<void> {
    if (!isTold) return
    // What is left of it is known by its name at the next start.
    await FORGET.run(core.redis, fence, [keys.unread(sessionId)], [name]).catch(() => undefined)
  }

  return {
    async waits(name, unread) {
      if (waiting.has(name) || told.has(name)) return
      const value = { ...unread, at: core.clock.now() }
      const json = JSON.stringify(value)
      if (json.length > MOST_JSON) return setAside(new RangeError('too large'))
      waiting.set(name, value)
      const [oldest = name] = waiting.keys()
      if (waiting.size > MOST_WAITING) spent(oldest)
      rearm()
      if (!isTold) return
      const keep = async () => KEEP.run(core.redis, fence, [keys.unread(sessionId)], [name, json])
      await persist(keep, fence, core.log).catch((error: unknown) => {
        if (!(error instanceof FencedError)) setAside(error)
      })
    },
    async givenUp(name, unread) {
      if (JSON.stringify(unread).length > MOST_JSON) {
        setAside(new RangeError('too large'))
        return true
      }
      return tell(name, unread)
    },
    spent(name) {
      spent(name)
      rearm()
    },
    arrived(name) {
      if (!waiting.delete(name)) return
      rearm()
      void forget(name)
    },
    nameOf: messageId => [...waiting].find(([, { key }]) => key.id === messageId)?.[0],
    close: () => clearTimeout(timer),
  }
}
