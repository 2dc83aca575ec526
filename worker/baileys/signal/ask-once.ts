import type { SocketConfig } from '@whiskeysockets/baileys'
import { keepNewest } from '../../keep-newest.ts'

/** Asks WhatsApp for the LIDs of numbers. */
type Ask = NonNullable<Parameters<SocketConfig['makeSignalRepository']>[2]>

/** How long it is remembered that a number has no LID. */
const REMEMBERED_MS = 10 * 60 * 1000
/** At least so long after it was asked for in vain, too. */
const AGAIN_MS = 60 * 1000
const MOST = 1000

/**
 * Remembers of which numbers WhatsApp told no LID. Baileys does not, and asks again at each step of a decryption, when a
 * question must no longer be asked: no frame leaves then (see `followInbound`). Its first step, before that, asks the same.
 */
export function askOnce(ask: Ask, now: () => number = Date.now): Ask {
  const unknownUntil = new Map<string, number>()

  function remember(jid: string, until: number): void {
    unknownUntil.delete(jid)
    unknownUntil.set(jid, until)
    keepNewest(unknownUntil, MOST)
  }

  return async jids => {
    const open = jids.filter(jid => (unknownUntil.get(jid) ?? 0) <= now())
    for (const jid of jids) {
      if (!open.includes(jid)) remember(jid, Math.max(unknownUntil.get(jid) ?? 0, now() + AGAIN_MS))
    }
    if (open.length === 0) return []
    const found = new Set<string>()
    try {
      const answers = (await ask(open)) ?? []
      for (const { pn } of answers) found.add(pn)
      return answers
    } finally {
      for (const jid of open) if (!found.has(jid)) remember(jid, now() + REMEMBERED_MS)
    }
  }
}
