import { describe, expect, it } from 'vitest'
import { createFrameReader, frameOf } from './frames.ts'

const INTRO = Buffer.from([0x57, 0x41, 6, 3])
const ROUTING = Buffer.from('routing of a real server')

describe('frames', () => {
  it('are found byte by byte, behind a routing prefix', () => {
    const prefix = Buffer.concat([Buffer.from('ED'), Buffer.from([0, 1, 0, 0, ROUTING.length]), ROUTING])
    const stream = Buffer.concat([prefix, INTRO, frameOf(Buffer.from('one')), frameOf(Buffer.alloc(70_000, 2))])
    const reader = createFrameReader()
    const frames = [...stream].flatMap(byte => reader.push(Buffer.of(byte)))
    expect(frames.map(frame => frame.length)).toEqual([3, 70_000])
    expect(reader.intro).toEqual(INTRO)
  })

  it('are refused behind a foreign introduction', () => {
    expect(() => createFrameReader().push(Buffer.from('GET / HTTP/1.1'))).toThrow('not whatsapp')
    expect(() => createFrameReader().push(Buffer.from('EXAMPLE'))).toThrow('not whatsapp')
  })
})
