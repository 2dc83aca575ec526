import { expect, test } from 'vitest'
import { createSemaphore } from './semaphore.ts'

const turn = async () => new Promise(resolve => setImmediate(resolve))

test('has room until so many are inside, and again when one leaves', async () => {
  const room = createSemaphore(2)
  room.enter()
  await room.free()
  room.enter()
  let free = false
  const waiting = room.free().then(() => (free = true))
  await turn()
  expect(free).toBe(false)
  room.leave()
  await waiting
  await room.free()
})

test('has room for everybody once it is closed', async () => {
  const room = createSemaphore(1)
  room.enter()
  const waiting = room.free()
  room.close()
  await waiting
  room.enter()
  expect(await room.free()).toBeUndefined()
})
