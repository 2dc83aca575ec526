import { beforeEach, describe, expect, test } from 'vitest'
import { createWriteQueue, type Change, type WriteQueue } from './write-queue.ts'

let written: string[][]
let queue: WriteQueue

beforeEach(() => {
  written = []
  queue = createWriteQueue(async changes => {
    written.push([...changes].map(([field, change]) => `${field}=${change.bytes()?.toString() ?? ''}`))
  })
})

const change = (id: string, value: string): Change => ({
  place: { sessionId: 's', type: 'session', id },
  bytes: () => Buffer.from(value),
})
const whole = Promise.resolve()
const turn = async () => new Promise(resolve => setImmediate(resolve))

test('writes what is added at once together, and of one field the last', async () => {
  await Promise.all([queue.add([change('a', '1')]), queue.add([change('b', '1'), change('a', '2')])])
  expect(written).toEqual([['session:a=2', 'session:b=1']])
})

describe('a hold', () => {
  test('lets nothing be written that is added after it, which is read nonetheless', async () => {
    const release = queue.hold(whole)
    const added = queue.add([change('a', '1')])
    await turn()
    expect(written).toEqual([])
    expect(queue.pending('session:a')?.bytes()?.toString()).toBe('1')
    release()
    await added
    expect(written).toEqual([['session:a=1']])
    expect(queue.pending('session:a')).toBeUndefined()
  })

  test('keeps nothing waiting that is on its way to be written, so that many in a row stop nobody', async () => {
    const release = queue.hold(whole)
    const added = queue.add([change('a', '1')])
    await turn()
    const later = queue.hold(whole)
    const next = queue.add([change('a', '2')])
    release()
    await added
    await turn()
    expect(written).toEqual([['session:a=1']])
    later()
    await next
    expect(written).toEqual([['session:a=1'], ['session:a=2']])
  })

  test('has what is added before it is whole written in one', async () => {
    const all = Promise.withResolvers<void>()
    const release = queue.hold(all.promise)
    const added = [queue.add([change('a', '1')])]
    await turn()
    added.push(queue.add([change('b', '1')]))
    release()
    all.resolve()
    await Promise.all(added)
    expect(written).toEqual([['session:a=1', 'session:b=1']])
  })

  test('that is released before anything is added holds nothing', async () => {
    queue.hold(whole)()
    await queue.add([change('a', '1')])
    expect(written).toEqual([['session:a=1']])
  })
})
