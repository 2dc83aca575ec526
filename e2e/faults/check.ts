import type { JournalEntry } from '../../dev/simulator/journal.ts'
import type { Received } from '../../dev/simulator/received.ts'

/** One job that was accepted: its session, its place in that session's order, and the text that only it has. */
export interface Accepted {
  sessionId: string
  place: number
  text: string
}

/** One webhook as the receiver got it, in the order of arrival. */
export interface Arrived {
  sessionId: string
  /** `webhook-id` and `kurir-seq` of the delivery. */
  id: string
  seq: number
  /** Texts of the messages in the event. */
  texts: readonly string[]
}

/** What went wrong, as lines a person can follow to the entries behind them. Empty lists are the promise kept. */
export interface Verdict {
  lost: string[]
  secondIds: string[]
  inversions: string[]
  overlaps: string[]
  counterReuse: string[]
}

/** Judges sends by what the simulator saw: nothing lost, one id a job, in order, one socket a device, no counter twice. */
export function judgeSends(
  accepted: readonly Accepted[],
  received: readonly Received[],
  journal: readonly JournalEntry[],
): Verdict {
  const ids = new Map<string, Set<string>>()
  const order: string[] = []
  for (const { text, id } of received) {
    if (text === undefined) continue
    const known = ids.get(text)
    if (known === undefined) order.push(text)
    ids.set(text, (known ?? new Set()).add(id))
  }
  return {
    lost: accepted.filter(({ text }) => !ids.has(text)).map(({ text }) => `never arrived: ${text}`),
    secondIds: accepted
      .filter(({ text }) => (ids.get(text)?.size ?? 0) > 1)
      .map(({ text }) => `${text} has ids ${[...(ids.get(text) ?? [])].join(', ')}`),
    inversions: findInversions(accepted, order),
    overlaps: findOverlaps(journal),
    counterReuse: findCounterReuse(received),
  }
}

function findInversions(accepted: readonly Accepted[], order: readonly string[]): string[] {
  const byText = new Map(accepted.map(job => [job.text, job]))
  const last = new Map<string, Accepted>()
  const found: string[] = []
  for (const text of order) {
    const job = byText.get(text)
    if (job === undefined) continue
    const before = last.get(job.sessionId)
    if (before !== undefined && before.place > job.place) found.push(`${job.text} came after ${before.text}`)
    else last.set(job.sessionId, job)
  }
  return found
}

/** A device must not have logged in on a new socket before its old one was closed. */
function findOverlaps(journal: readonly JournalEntry[]): string[] {
  const live = new Map<string, { connection: number; mono: number }>()
  const found: string[] = []
  for (const { kind, connection, phone, device, mono } of journal) {
    if (connection === undefined) continue
    if (kind === 'close') {
      for (const [name, holder] of live) if (holder.connection === connection) live.delete(name)
    }
    if (kind !== 'login' || phone === undefined) continue
    const name = `${phone}:${device ?? 0}`
    const holder = live.get(name)
    if (holder !== undefined && holder.connection !== connection) {
      found.push(`${name} logged in on connection ${connection} at ${mono} while ${holder.connection} was open`)
    }
    live.set(name, { connection, mono })
  }
  return found
}

/** One chain and counter may carry one ciphertext only, however often the same frame arrives. */
function findCounterReuse(received: readonly Received[]): string[] {
  const used = new Map<string, string>()
  const found: string[] = []
  for (const { from, id, opened } of received) {
    for (const { phone, device, chain, counter, ciphertext } of opened) {
      const name = `${from.phone}:${from.device} to ${phone}:${device} ${chain} ${counter}`
      const before = used.get(name)
      if (before !== undefined && before !== ciphertext) found.push(`${name} again in message ${id}`)
      used.set(name, ciphertext)
    }
  }
  return found
}

/**
 * Judges webhooks: every text arrived, in one event, each session's seqs without a step back, and a repeat only under the
 * same id.
 */
export function judgeEvents(texts: readonly string[], arrived: readonly Arrived[]) {
  const seen = new Map<string, string>()
  const twice: string[] = []
  const inversions: string[] = []
  const secondIds: string[] = []
  const highest = new Map<string, number>()
  const idOf = new Map<string, string>()
  for (const { sessionId, id, seq, texts: told } of arrived) {
    const name = `${sessionId} seq ${seq}`
    const known = idOf.get(name)
    if (known !== undefined && known !== id) secondIds.push(`${name} has ids ${known}, ${id}`)
    if (known === undefined && seq < (highest.get(sessionId) ?? 0)) inversions.push(`${name} came late`)
    for (const text of told) {
      const before = seen.get(text)
      if (before !== undefined && before !== name) twice.push(`${text} in ${before}, ${name}`)
      seen.set(text, name)
    }
    idOf.set(name, id)
    highest.set(sessionId, Math.max(seq, highest.get(sessionId) ?? 0))
  }
  const lost = texts.filter(text => !seen.has(text)).map(text => `never arrived: ${text}`)
  return { lost, twice, inversions, secondIds }
}
