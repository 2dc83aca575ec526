import { expect, it } from 'vitest'
import { createKeyedMutex } from './keyed-mutex.ts'

it('runs what has one name in order, also after a failure, and other names meanwhile', async () => {
  const inTurn = createKeyedMutex()
  const gate = Promise.withResolvers<void>()
  const done: string[] = []
  const first = inTurn('a', async () => {
    await gate.promise
    done.push('first')
    throw new Error('first fails')
  })
  const second = inTurn('a', async () => done.push('second'))
  await inTurn('b', async () => done.push('other'))
  gate.resolve()
  await expect(first).rejects.toThrow('first fails')
  await second
  expect(done).toEqual(['other', 'first', 'second'])
})
