import type { JobName } from '../../../shared/contract.ts'
import type { Held } from '../read.ts'
import { JobFailure } from '../job.ts'
import type { Turn } from './turn.ts'

/** The jobs of one lane that run now. */
export interface Flights {
  /** Whether this job may start beside those that run. */
  mayStart(held: Held): boolean
  start(held: Held): Flight
  /** Turns back every job whose turn has not come: it must run again. */
  halt(): void
  /** Whether none runs, nor waits for others to come back with it. */
  readonly landed: boolean
}

/** One job that runs. */
export interface Flight {
  turn: Turn
  /**
   * The job ended. `again`: it must run again. Answers the jobs that must run again, oldest first, once the last of
   * those that run has ended, and nothing before that: started one by one they could overtake each other.
   */
  end(again: boolean): readonly Interrupted[]
}

/** A job whose connection ended under it. */
export interface Interrupted {
  held: Held
  /** Whether WhatsApp had been asked something for it. */
  asked: boolean
}

/** Waiting for an ack takes a round trip to WhatsApp; so many messages may wait at once. */
const MOST_AT_ONCE = 8

/**
 * What is sent as soon as it is read. These run side by side: while one waits for its ack the next is written. Frames
 * of one socket arrive in the order in which they are written, so the session's order holds; when the socket is cut,
 * all that were not acked are written again, in order and under their ids. Everything else runs alone.
 */
const LIGHT = new Set<string>(['SEND_TEXT', 'SEND_REPLY', 'SEND_REACTION', 'SEND_POLL'] satisfies JobName[])

interface Airborne {
  held: Held
  come: PromiseWithResolvers<void>
  asked: boolean
  wrote: boolean
  /** Counts up with each start. */
  order: number
}

/** See {@link Flights}. */
export function createFlights(): Flights {
  let airborne: Airborne[] = []
  let interrupted: Airborne[] = []
  let started = 0

  /** Lets every job come up to the first that has not written. */
  function pass() {
    for (const one of airborne) {
      one.come.resolve()
      if (!one.wrote) return
    }
  }

  function halt() {
    for (const one of airborne) one.come.reject(new JobFailure('INTERNAL', 'its turn will come again', 'wait'))
  }

  return {
    mayStart(held) {
      if (airborne.length === 0) return interrupted.length === 0
      const all = [held, ...airborne.map(one => one.held)]
      // What may have brought a worker or a connection down runs alone: the next time must be counted on the right job.
      const together = all.every(({ name, crashes, closings }) => LIGHT.has(name) && crashes + closings === 0)
      return together && interrupted.length === 0 && airborne.length < MOST_AT_ONCE
    },
    start(held) {
      const flight: Airborne = {
        held,
        come: Promise.withResolvers<void>(),
        asked: false,
        wrote: false,
        order: started++,
      }
      // A job that never asks for its turn leaves this promise alone.
      flight.come.promise.catch(() => undefined)
      airborne.push(flight)
      pass()
      return {
        turn: {
          come: async () => flight.come.promise,
          asked() {
            flight.asked = true
          },
          written() {
            flight.wrote = true
            pass()
          },
        },
        end(again) {
          airborne = airborne.filter(other => other !== flight)
          if (again) {
            interrupted.push(flight)
            // What has not written yet must not overtake a job that will be written again.
            halt()
          } else if (interrupted.length === 0) pass()
          if (airborne.length > 0) return []
          const all = interrupted.toSorted((a, b) => a.order - b.order).map(({ held, asked }) => ({ held, asked }))
          interrupted = []
          return all
        },
      }
    },
    halt,
    get landed() {
      return airborne.length === 0
    },
  }
}
