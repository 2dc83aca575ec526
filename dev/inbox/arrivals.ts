import type { Arrival } from './arrival.ts'

const WAIT_MS = 20_000

/** Which arrivals are meant. */
export interface ArrivalFilter {
  session?: string
  /** Only those with a greater `n`. */
  since?: number
  /** Also those that were refused or answered with an error. */
  all?: boolean
}

/** The last arrivals, and who waits for more. */
export class Arrivals {
  readonly #keep: number
  readonly #list: Arrival[] = []
  readonly #listeners = new Set<(arrival: Arrival) => void>()
  #count = 0

  constructor(keep: number) {
    this.#keep = keep
  }

  /** Numbers an arrival and keeps it. */
  add(unnumbered: Omit<Arrival, 'n'>): Arrival {
    this.#count += 1
    const arrival = { n: this.#count, ...unnumbered }
    this.#list.push(arrival)
    if (this.#list.length > this.#keep) this.#list.shift()
    for (const listener of this.#listeners) listener(arrival)
    return arrival
  }

  list({ session, since = 0, all = false }: ArrivalFilter = {}): Arrival[] {
    return this.#list.filter(
      arrival =>
        arrival.n > since &&
        (session === undefined || arrival.event?.sessionId === session) &&
        (all || (arrival.event !== undefined && arrival.answered >= 200 && arrival.answered < 300)),
    )
  }

  /** The first arrival that passes, past or future. */
  async wait(what: string, passes: (arrival: Arrival) => boolean, timeoutMs = WAIT_MS): Promise<Arrival> {
    const past = this.#list.find(passes)
    if (past !== undefined) return past
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer)
        this.#listeners.delete(listener)
      }
      const listener = (arrival: Arrival) => {
        if (!passes(arrival)) return
        end()
        resolve(arrival)
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`the inbox waited ${timeoutMs} ms for ${what}`))
      }, timeoutMs)
      this.#listeners.add(listener)
    })
  }
}
