import type { Arrival } from '../inbox/arrival.ts'
import type { Secrets } from './secrets.ts'

/** Ports of loopback; an absent one is chosen freely. */
export interface Ports {
  edge?: number
  redis?: number
  rest?: number
  worker?: number
  simulator?: number
  inbox?: number
}

/** What exists already; the stack uses it instead of starting its own. */
export interface Given {
  redisUrl?: string
  rest?: { url: string; token: string }
  webhookUrl?: string
  waWebsocketUrl?: string
  waNoiseRootKey?: string
  secrets?: Partial<Secrets>
  /** Further settings of the worker, by their names in the README. */
  worker?: Record<string, string>
}

/** How a stack is started. */
export interface StackOptions {
  /** Where it keeps its secrets and data. */
  dir: string
  given?: Given
  ports?: Ports
  /** Default 1. */
  partitions?: number
  /** Default 1. */
  workers?: number
  /** Keeps Redis' data in `dir` for the next start. */
  persist?: boolean
  /** Uses the real WhatsApp: no simulator. */
  live?: boolean
  /** Where programs such as redis-server are looked for. */
  path?: string
  /** Aborts the start. */
  signal?: AbortSignal
  onLine?: (source: string, line: string) => void
  onArrival?: (arrival: Arrival) => void
}
