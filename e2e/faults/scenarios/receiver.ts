import { setTimeout as sleep } from 'node:timers/promises'
import type { AnswerRuleInput } from '../../../dev/inbox/answers.ts'
import type { Arrival } from '../../../dev/inbox/arrival.ts'
import { until } from '../../../dev/stack/until.ts'
import { judgeEvents, type Arrived } from '../check.ts'
import { zero, type Outcome } from '../figures.ts'
import { startWorld, type LinkedSession, type World } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface ReceiverSize {
  sessions: number
  /** Inbound texts for each session and each fault. */
  texts: number
  /** How long each fault lasts, in ms. */
  lastsMs: number
}

const MISBEHAVIOURS: readonly AnswerRuleInput[] = [
  { status: 500 },
  { reset: true },
  { delayMs: 2000, times: 3 },
  { status: 429, headers: { 'retry-after': '1' } },
]

/** Breaks the webhook receiver in every way while messages come in, and kills the worker in the middle. */
export async function breakReceiver({ sessions: count, texts, lastsMs }: ReceiverSize): Promise<Outcome> {
  const world = await startWorld({ workers: 2 })
  try {
    const sessions = await world.link(count)
    const { inbox } = world.stack
    if (inbox === undefined) throw new Error('this scenario needs the inbox')
    const sent: string[] = []
    for (const rule of MISBEHAVIOURS) {
      inbox.answerWith(rule)
      await writeIn(world, sessions, texts, sent)
      await sleep(lastsMs)
      inbox.answerNormally()
    }
    await inbox.down()
    await writeIn(world, sessions, texts, sent)
    await appended(world, sent.length)
    await Promise.all(world.stack.workers.map(worker => worker.kill()))
    await world.stack.startWorker()
    await sleep(lastsMs)
    await inbox.up()
    const missing = () => judgeEvents(sent, inbox.arrivals().map(arrivedOf)).lost
    await until('every event to be delivered', () => missing().length === 0, {
      timeoutMs: 120_000,
      everyMs: 250,
    }).catch(() => undefined)
    const { lost, twice, inversions, secondIds } = judgeEvents(sent, inbox.arrivals().map(arrivedOf))
    return {
      fault: 'webhook receiver 500, reset, slow, 429, down; workers killed meanwhile',
      done: `${count} sessions, ${sent.length} inbound texts, ${inbox.arrivals({ all: true }).length} attempts`,
      figures: [
        zero('events lost', lost.length),
        zero('texts in two events', twice.length),
        zero('order inversions', inversions.length),
        zero('second event ids', secondIds.length),
      ],
      evidence: [...lost, ...twice, ...inversions, ...secondIds].slice(0, 10),
    }
  } finally {
    await world.close()
  }
}

/** Has each contact write so many texts, which are added to `sent`. */
export async function writeIn(
  world: World,
  sessions: readonly LinkedSession[],
  count: number,
  sent: string[],
): Promise<void> {
  for (let n = 0; n < count; n++) {
    for (const { phone, contact } of sessions) {
      const text = `inbound ${sent.length}`
      await world.simulator.sendText(contact, phone, text)
      sent.push(text)
    }
  }
}

/** Waits until the outboxes hold the last of the texts: what WhatsApp has not handed over yet is another scenario's. */
export async function appended(world: World, count: number): Promise<void> {
  await until(
    'the events to be appended',
    async () => {
      let found = 0
      for (const key of await world.redis.keys('kurir:outbox:*')) {
        const entries = await world.redis.xrange(key, '-', '+')
        found += entries.filter(([, fields]) => fields.some(field => field.includes('inbound '))).length
      }
      return found >= count
    },
    { timeoutMs: 60_000, everyMs: 100 },
  )
}

/** What the judge wants to know of a webhook. */
export function arrivedOf({ event, id = '', seq = 0 }: Arrival): Arrived {
  const messages = event?.event === 'messages.upsert' ? event.data.messages : []
  const texts = messages.flatMap(({ message }) => textOf(message?.['conversation']))
  return { sessionId: event?.sessionId ?? '', id, seq, texts }
}

function textOf(value: unknown): string[] {
  return typeof value === 'string' ? [value] : []
}
