import { beforeEach, expect, test, vi } from 'vitest'
import { createHandling, type Handling, type Open } from './handling.ts'

let open: ReturnType<typeof vi.fn<Open>>
let shut: ReturnType<typeof vi.fn<() => Open>>
let handling: Handling

beforeEach(() => {
  open = vi.fn<Open>()
  shut = vi.fn<() => Open>(() => open)
  handling = createHandling(shut)
})

test('shuts once, until whoever takes the message opens', () => {
  handling.hold()
  handling.hold()
  handling.read('A')
  const taken = handling.take('A')
  handling.end()
  expect(shut).toHaveBeenCalledOnce()
  expect(open).not.toHaveBeenCalled()
  taken?.(false)
  expect(open.mock.calls).toEqual([[false]])
})

test('opens when the message comes to nothing', () => {
  handling.hold()
  handling.end()
  handling.end()
  expect(open.mock.calls).toEqual([[true]])
})

test('shuts nothing after the end', () => {
  handling.end()
  handling.hold()
  handling.read('A')
  expect(handling.take('A')).toBeUndefined()
  expect(shut).not.toHaveBeenCalled()
})

test('is not taken by what is emitted meanwhile', () => {
  handling.hold()
  expect(handling.take('')).toBeUndefined()
  handling.read('A')
  expect(handling.take('B')).toBeUndefined()
  expect(handling.take('A')).toBe(open)
  expect(handling.take('A')).toBeUndefined()
})

test('settles at once while nothing is shut, else when it is taken or has ended', async () => {
  await handling.settled()
  handling.read('A')
  const settled = vi.fn<() => void>()
  const settling = handling.settled().then(settled)
  await new Promise(resolve => setImmediate(resolve))
  expect(settled).not.toHaveBeenCalled()
  handling.take('A')
  await settling
  await handling.settled()
})
