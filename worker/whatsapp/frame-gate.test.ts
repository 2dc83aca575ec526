import { beforeEach, describe, expect, it, vi } from 'vitest'
import { gateFrames, type FrameGate } from './frame-gate.ts'
import type { RawSocket } from './guard-socket.ts'

let wire: string[]
let gate: FrameGate
let write: (frame: string, callback?: () => void) => void

beforeEach(() => {
  wire = []
  const socket: NonNullable<RawSocket['socket']> = {
    send: frame => void wire.push(String(frame)),
    terminate: () => undefined,
    on: () => undefined,
    _socket: { cork: () => void wire.push('('), uncork: () => void wire.push(')') },
  }
  gate = gateFrames({ close: async () => undefined, socket })
  write = (frame, callback) => socket.send(frame, callback)
})

describe('the gate before a socket', () => {
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
