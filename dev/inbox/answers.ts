import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'

/** How the next deliveries are answered, to see what the sender makes of it. */
export const answerRule = z.strictObject({
  /** Status code of the answer. */
  status: z.number().int().min(200).max(599).default(200),
  /** Waits this long before it answers. */
  delayMs: z.number().int().min(0).max(600_000).default(0),
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
  if (rule !== undefined && rule.delayMs > 0) await sleep(rule.delayMs)
  if (rule?.reset === true) {
    request.socket.resetAndDestroy()
    return 0
  }
  const status = rule?.status ?? 204
  response.writeHead(status, rule?.headers ?? {}).end()
  return status
}
