import { beforeEach, expect, test, vi } from 'vitest'
import { createHandling, type Handling, type Open } from './handling.ts'

let open: ReturnType<typeof vi.fn<Open>>
let shut: ReturnType<typeof vi.fn<(settled: Promise<void>) => Open>>
let handling: Handling

beforeEach(() => {
  open = vi.fn<Open>()
  shut = vi.fn<(settled: Promise<void>) => Open>(() => open)
  handling = createHandling(shut, 50)
})

test('shuts once, until whoever takes the message opens', () => {
  handling.hold('A')
  handling.hold('A')
  const taken = handling.take('A')
  handling.end()
  expect(shut).toHaveBeenCalledOnce()
  expect(open).not.toHaveBeenCalled()
  taken?.(false)
  expect(open.mock.calls).toEqual([[false]])
})

test('opens when the message comes to nothing', () => {
  handling.hold('A')
  handling.end()
  handling.end()
  expect(open.mock.calls).toEqual([[true]])
})

test('shuts nothing after the end', () => {
  handling.end()
  handling.hold('A')
  expect(handling.take('A')).toBeUndefined()
  expect(shut).not.toHaveBeenCalled()
})

test('is not taken by what is emitted meanwhile', () => {
  handling.hold('A')
  handling.hold('B')
  for (const other of ['', 'B']) expect(handling.take(other)).toBeUndefined()
  expect(handling.take('A')).toBe(open)
  expect(handling.take('A')).toBeUndefined()
})

test('opens what nobody took in time', async () => {
  handling.hold('A')
  expect(handling.holds()).toBe(true)
  await handling.settled()
  expect(handling.holds()).toBe(false)
  expect(open.mock.calls).toEqual([[true]])
})

test('settles at once while nothing is shut, else when it is taken or has ended', async () => {
  await handling.settled()
  handling.hold('A')
  const settled = vi.fn<() => void>()
  const settling = handling.settled().then(settled)
  await new Promise(resolve => setImmediate(resolve))
  expect(settled).not.toHaveBeenCalled()
  handling.take('A')
  await settling
  await handling.settled()
})
