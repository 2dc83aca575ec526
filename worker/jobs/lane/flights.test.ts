import { describe, expect, it } from 'vitest'
import { readJob, type Held } from '../read.ts'
import { createFlights } from './flights.ts'

let ids = 0

function job(name = 'SEND_TEXT', crashes = 0, closings = 0): Held {
  const data = JSON.stringify({ sessionId: 's', to: '6281234567890', text: 'hello', type: 'image', media: 'aGVsbG8=' })
  const reading = readJob([String(++ids), ['name', name, 'data', data]], 'whatsapp-jobs', 0, 1)
  if (reading.kind !== 'job') throw new Error(reading.kind)
  return { ...reading.held, crashes, closings }
}

/** Starts a job and notes when its turn comes. */
function fly(flights: ReturnType<typeof createFlights>, held: Held, log: string[]) {
  const flight = flights.start(held)
  void flight.turn.come().then(
    () => log.push(`${held.id} comes`),
    () => log.push(`${held.id} is turned back`),
  )
  return flight
}

const settle = async () => new Promise(resolve => setImmediate(resolve))

describe('jobs that run at once', () => {
  it('write in the order in which they were started', async () => {
    const flights = createFlights()
    const log: string[] = []
    const [a, b, c] = [job(), job(), job()]
    const [first, second] = [fly(flights, a, log), fly(flights, b, log), fly(flights, c, log)]
    await settle()
    expect(log).toEqual([`${a.id} comes`])
    first.turn.written()
    await settle()
    expect(log).toEqual([`${a.id} comes`, `${b.id} comes`])
    second.end(false)
    await settle()
    expect(log.at(-1)).toBe(`${c.id} comes`)
  })

  it('come back together, oldest first, when one must run again', async () => {
    const flights = createFlights()
    const log: string[] = []
    const [a, b, c, d] = [job(), job(), job(), job()]
    const all = [a, b, c, d].map(held => fly(flights, held, log))
    all[0]?.turn.written()
    all[1]?.turn.written()
    expect(all[1]?.end(true)).toEqual([])
    await settle()
    expect(log.slice(2)).toEqual([`${c.id} comes`, `${d.id} is turned back`])
    expect(flights.mayStart(job())).toBe(false)
    expect(all[3]?.end(true)).toEqual([])
    expect(all[2]?.end(true)).toEqual([])
    expect(all[0]?.end(false).map(({ held }) => held)).toEqual([b, c, d])
    expect(flights.landed && flights.mayStart(job())).toBe(true)
  })

  it('are few, quick to prepare, and innocent of crashes and of ends of the connection', () => {
    const flights = createFlights()
    flights.start(job())
    expect(flights.mayStart(job('SEND_MEDIA'))).toBe(false)
    expect(flights.mayStart(job('STOP_SESSION'))).toBe(false)
    expect(flights.mayStart(job('SEND_TEXT', 1))).toBe(false)
    expect(flights.mayStart(job('SEND_TEXT', 0, 1))).toBe(false)
    for (let n = 1; n < 8; n++) flights.start(job())
    expect(flights.mayStart(job())).toBe(false)
    const suspect = createFlights()
    suspect.start(job('SEND_TEXT', 1))
    expect(suspect.mayStart(job())).toBe(false)
  })
})
