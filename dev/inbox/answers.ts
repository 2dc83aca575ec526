import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'

/** How the next deliveries are answered, to see what the sender makes of it. */
export const answerRule = z.strictObject({
  /** Status code of the answer. */
  status: z.number().int().min(200).max(599).default(200),
  /** Waits this long before it answers. */
  delayMs: z.number().int().min(0).max(600_000).default(0),
  /** Deals with so many deliveries at the same time; the others wait for their turn. Absent: with all. */
  atOnce: z.number().int().positive().optional(),
  /** Extra headers, such as `{"retry-after": "2"}`. */
  headers: z.record(z.string(), z.string()).default({}),
  /** Cuts the connection instead of answering. */
  reset: z.boolean().default(false),
  /** For this many deliveries; absent: until the rule is taken back. */
  times: z.number().int().positive().optional(),
  /** Only for deliveries of this session; absent: for all. */
  session: z.string().optional(),
})

/** See {@link answerRule}. */
export type AnswerRule = z.infer<typeof answerRule>

/** What a rule looks like before its defaults are filled in. */
export type AnswerRuleInput = z.input<typeof answerRule>

/** The rules in force, oldest first. */
export class Answers {
  #rules: AnswerRule[] = []

  /** Adds a rule; the oldest one that applies is used. */
  add(rule: AnswerRuleInput): void {
    this.#rules.push(answerRule.parse(rule))
  }

  /** Takes all rules back. */
  clear(): void {
    this.#rules = []
  }

  /** The rule for a delivery of this session, counted as used. */
  take(session: string | undefined): AnswerRule | undefined {
    const rule = this.#rules.find(candidate => candidate.session === undefined || candidate.session === session)
    if (rule?.times === undefined) return rule
    rule.times--
    if (rule.times === 0) this.#rules = this.#rules.filter(candidate => candidate !== rule)
    return rule
  }
}

/** Answers a delivery: as the rule says, else 204. Resolves with the status, 0 for a cut connection. */
export async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  rule: AnswerRule | undefined,
): Promise<number> {
  const leave = await turnOf(rule)
  if (rule !== undefined && rule.delayMs > 0) await sleep(rule.delayMs)
  leave()
  if (rule?.reset === true) {
    request.socket.resetAndDestroy()
    return 0
  }
  const status = rule?.status ?? 204
  response.writeHead(status, rule?.headers ?? {}).end()
  return status
}

/** Deliveries that a rule deals with at the moment, and those that wait for their turn. */
const turns = new WeakMap<AnswerRule, { busy: number; waiting: (() => void)[] }>()

/** Resolves when the delivery has its turn, with what ends it. One that was given up meanwhile takes its turn, too. */
async function turnOf(rule: AnswerRule | undefined): Promise<() => void> {
  if (rule?.atOnce === undefined) return () => {}
  const turn = turns.get(rule) ?? { busy: 0, waiting: [] }
  turns.set(rule, turn)
  if (turn.busy >= rule.atOnce) await new Promise<void>(resolve => turn.waiting.push(resolve))
  else turn.busy++
  return () => {
    const next = turn.waiting.shift()
    if (next === undefined) turn.busy--
    else next()
  }
}
