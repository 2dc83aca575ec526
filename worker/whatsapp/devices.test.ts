import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestSession, type TestSession } from '../../dev/testing/handler-session.ts'

const CONTACT = '628990000001'
const OTHER = '628990000002'

let session: TestSession
beforeAll(async () => {
  session = await startTestSession()
})
afterAll(async () => session[Symbol.asyncDispose]())

/** Which kinds of requests the server got from the session, from an index of its log on. */
async function requests(since: number): Promise<string[]> {
  const frames = await session.control.log({ phone: session.phone, kind: 'frame', since })
  return frames.flatMap(({ xmlns }) => (xmlns === 'usync' || xmlns === 'encrypt' ? [xmlns] : []))
}

async function now(): Promise<number> {
  return (await session.control.log({ phone: session.phone, kind: 'frame' })).at(-1)?.index ?? 0
}

describe('a text to somebody who was written to before', () => {
  it('costs one question for devices after a restart, and no pre-keys, for the Signal session goes on', async () => {
    await session.arrives('SEND_TEXT', { to: CONTACT, text: 'one' })
    await session.restart()
    const at = await now()
    await session.arrives('SEND_TEXT', { to: CONTACT, text: 'two' })
    expect(await requests(at)).toEqual(['usync'])
  })

  it('costs none while the devices are known', async () => {
    const at = await now()
    await session.arrives('SEND_TEXT', { to: CONTACT, text: 'three' })
    expect(await requests(at)).toEqual([])
  })
})

describe('texts side by side', () => {
  it('share one question', async () => {
    await session.restart()
    const at = await now()
    await Promise.all(['a', 'b', 'c'].map(async text => session.run('SEND_TEXT', { to: OTHER, text })))
    expect((await requests(at)).filter(kind => kind === 'usync')).toEqual(['usync'])
  })
})
