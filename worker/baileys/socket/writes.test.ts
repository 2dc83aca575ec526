import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { RawSocket } from './raw-socket.ts'
import { guardWrites, type FrameGate } from './writes.ts'

let wire: string[]
let valid: boolean
let gate: FrameGate
let write: (frame: string, callback?: (error?: Error) => void) => void

beforeEach(() => {
  wire = []
  valid = true
  const socket: NonNullable<RawSocket['socket']> = {
    send: frame => void wire.push(String(frame)),
    terminate: () => void wire.push('cut'),
    on: () => undefined,
    _socket: { cork: () => void wire.push('('), uncork: () => void wire.push(')') },
  }
  gate = guardWrites({ close: async () => undefined, socket }, { valid: () => valid })
  write = (frame, callback) => socket.send(frame, callback)
})

describe('what a socket writes', () => {
  it('does not leave once the lease may be lost, be it behind a hold, and the connection is cut', () => {
    const open = gate.hold()
    write('one')
    valid = false
    open()
    const failed = vi.fn<(error?: Error) => void>()
    write('two', failed)
    expect(wire).toEqual(['(', 'cut', ')', 'cut'])
    expect(failed.mock.calls[0]?.[0]).toBeInstanceOf(Error)
  })

  it('lets pass what no hold was taken before', () => {
    write('one')
    const open = gate.hold()
    write('two')
    expect(wire).toEqual(['one'])
    open()
    write('three')
    expect(wire).toEqual(['one', '(', 'two', ')', 'three'])
  })

  it('counts what waits as written', () => {
    gate.hold()
    const written = vi.fn<() => void>()
    write('one', written)
    expect(written).toHaveBeenCalledOnce()
    expect(wire).toEqual([])
  })

  it('keeps the order, whichever hold ends first, and lets what is free leave in one write', () => {
    const first = gate.hold()
    write('one')
    const second = gate.hold()
    write('two')
    write('three')
    const third = gate.hold()
    write('four')
    second()
    expect(wire).toEqual([])
    first()
    expect(wire).toEqual(['(', 'one', 'two', 'three', ')'])
    // Ended twice it frees nobody else's.
    first()
    third()
    expect(wire.slice(5)).toEqual(['(', 'four', ')'])
  })

  it('tells when what was written so far has left', async () => {
    await gate.passed()
    const first = gate.hold()
    write('one')
    let left = false
    const passed = gate.passed().then(() => (left = true))
    const second = gate.hold()
    write('two')
    await Promise.resolve()
    expect(left).toBe(false)
    first()
    await passed
    expect(wire.join('')).toBe('(one)')
    second()
    await gate.passed()
    expect(wire.join('')).toBe('(one)(two)')
  })
})
