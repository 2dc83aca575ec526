import * as z from 'zod'
import { outboxEvent, type OutboxEvent } from '../../shared/events.ts'
import { SignatureError, verify, type HeaderSource, type SigningKey } from '../../shared/signature.ts'

/** One POST that arrived, whatever was made of it. */
export interface Arrival {
  /** 1 for the first POST of this inbox, then one more each. */
  n: number
  /** Unix ms. */
  at: number
  /** The status it was answered with; 0 for a cut connection. */
  answered: number
  /** `webhook-id`: the same for every attempt at the same event. */
  id?: string
  /** `kurir-seq`: the event's number in its session, from 1. */
  seq?: number
  /** `kurir-generation`: grows when Redis went back to an older copy; seqs count within one. */
  generation?: number
  /** `kurir-attempt`: 1 for the first. */
  attempt?: number
  /** The event, once the signature is right. */
  event?: OutboxEvent
  /** Why it was refused (a {@link SignatureError} code), or what is wrong with its body. */
  problem?: string
}

/** What a delivery is, before it is answered. Nothing of an unsigned body is read. */
export async function examine(
  keys: readonly SigningKey[],
  headers: HeaderSource & Record<string, string | string[] | undefined>,
  body: Uint8Array,
): Promise<Omit<Arrival, 'n' | 'at' | 'answered'>> {
  try {
    const { id } = await verify(keys, headers, body)
    const seq = number(headers['kurir-seq'])
    const attempt = number(headers['kurir-attempt'])
    const generation = number(headers['kurir-generation'])
    const numbers = {
      id,
      ...(seq !== undefined && { seq }),
      ...(attempt !== undefined && { attempt }),
      ...(generation !== undefined && { generation }),
    }
    return { ...numbers, ...readEvent(body) }
  } catch (error) {
    if (error instanceof SignatureError) return { problem: error.code }
    throw error
  }
}

function readEvent(body: Uint8Array): Pick<Arrival, 'event' | 'problem'> {
  try {
    const checked = outboxEvent.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)))
    return checked.success ? { event: checked.data } : { problem: `not an event: ${z.prettifyError(checked.error)}` }
  } catch {
    return { problem: 'not an event: the body is not JSON' }
  }
}

function number(value: string | string[] | undefined): number | undefined {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}
