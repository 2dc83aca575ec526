import type { AnswerRuleInput } from './answers.ts'
import type { Arrival } from './arrival.ts'
import type { ArrivalFilter } from './arrivals.ts'

/** A webhook receiver on loopback that checks signatures, remembers what came, and can misbehave on demand. */
export interface Inbox {
  /** Where webhooks are posted, and where its HTTP control side is. */
  readonly url: string
  /** What was kept, oldest first. */
  readonly arrivals: (filter?: ArrivalFilter) => Arrival[]
  /** Resolves with the first arrival that passes, past or future; rejects after `timeoutMs` (default 20 s). */
  readonly wait: (what: string, passes: (arrival: Arrival) => boolean, timeoutMs?: number) => Promise<Arrival>
  /** See {@link AnswerRuleInput}. */
  readonly answerWith: (rule: AnswerRuleInput) => void
  /** Answers 204 again. */
  readonly answerNormally: () => void
  /** Refuses connections, and cuts those that are open, until {@link Inbox.up}. */
  readonly down: () => Promise<void>
  readonly up: () => Promise<void>
  readonly close: () => Promise<void>
}
