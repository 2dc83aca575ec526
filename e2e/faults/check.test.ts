import { describe, expect, test } from 'vitest'
import type { JournalEntry } from '../../dev/simulator/journal.ts'
import type { Opened, Received } from '../../dev/simulator/received.ts'
import { judgeEvents, judgeSends } from './check.ts'

const accepted = [1, 2, 3].map(place => ({ sessionId: 's', place, text: `text ${place}` }))

function arrival(place: number, over: Partial<Opened> & { id?: string } = {}): Received {
  const { id = `ID${place}`, ...opened } = over
  const one = {
    phone: '2',
    device: 0,
    role: 'contact',
    type: 'msg',
    chain: 'c',
    counter: place,
    ciphertext: `x${place}`,
  }
  return {
    index: place,
    at: place,
    mono: place,
    connection: 1,
    from: { phone: '1', device: 1 },
    chat: '2@lid',
    id,
    type: 'text',
    attrs: {},
    text: `text ${place}`,
    duplicate: false,
    opened: [{ ...one, role: 'contact', ok: true, ...opened }],
  }
}

const entry = (index: number, kind: JournalEntry['kind'], connection: number): JournalEntry => ({
  index,
  at: index,
  mono: index,
  kind,
  connection,
  phone: '1',
  device: 1,
})

describe('the judge of sends', () => {
  test('finds nothing where all is well, a repeated frame included', () => {
    const verdict = judgeSends(
      accepted,
      [arrival(1), arrival(1), arrival(2), arrival(3)],
      [entry(1, 'login', 1), entry(2, 'close', 1), entry(3, 'login', 2)],
    )
    expect(verdict).toEqual({ lost: [], secondIds: [], inversions: [], overlaps: [], counterReuse: [] })
  })

  test('finds a lost text, a second id, an inversion, an overlap and a counter used twice', () => {
    const received = [arrival(2), arrival(1), arrival(2, { id: 'OTHER' }), arrival(1, { ciphertext: 'y' })]
    const verdict = judgeSends(accepted, received, [entry(1, 'login', 1), entry(2, 'login', 2), entry(3, 'close', 1)])
    for (const findings of Object.values(verdict)) expect(findings).not.toEqual([])
    expect(verdict.lost).toEqual(['never arrived: text 3'])
  })
})

describe('the judge of events', () => {
  const event = (seq: number, id = `e${seq}`) => ({ sessionId: 's', id, seq, texts: [`text ${seq}`] })

  test('accepts repeats under the same id', () => {
    const verdict = judgeEvents(['text 1', 'text 2'], [event(1), event(1), event(2)])
    expect(verdict).toEqual({ lost: [], twice: [], inversions: [], secondIds: [] })
  })

  test('finds a lost text, one in two events, an inversion and a second id', () => {
    const again = { ...event(4), texts: ['text 2'] }
    const verdict = judgeEvents(['text 3'], [event(2), event(1), event(2, 'other'), again])
    for (const findings of Object.values(verdict)) expect(findings).toHaveLength(1)
  })
})
