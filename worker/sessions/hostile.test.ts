import { describe, expect, it } from 'vitest'
import { until } from '../../dev/stack/until.ts'
import { sessionRig } from '../../dev/testing/session-rig.ts'
import { nested } from '../../dev/testing/hostile-messages.ts'
import { keys } from '../../shared/keys.ts'
import { MAX_LEVELS } from '../whatsapp/bounds.ts'
import { textsOf } from '../../dev/testing/owner.ts'

const BUDI = '628999000001'
const EVE = '628999000666'

const rig = sessionRig()

const arrived = async (text: string, timeoutMs?: number) => {
  const isThere = async () => (await textsOf(rig.redis, rig.sessionId)).includes(text)
  return until(`the text ${text}`, isThere, timeoutMs === undefined ? {} : { timeoutMs })
}

function levelsOf(value: unknown): number {
  let deepest = 0
  const left: [unknown, number][] = [[value, 0]]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [at, level] = next
    deepest = Math.max(deepest, level)
    if (typeof at === 'object' && at !== null) for (const inner of Object.values(at)) left.push([inner, level + 1])
  }
  return deepest
}

async function messages(): Promise<unknown[]> {
  const entries = await rig.redis.xrange(keys.outbox(rig.sessionId), '-', '+')
  const events = entries.map(([, fields]) => JSON.parse(fields[fields.indexOf('body') + 1] ?? '') as Event)
  return events.flatMap(({ data }) => data.messages ?? []).map(({ message }) => message)
}

/** The message of many quotes is there, with so many as are allowed. */
async function cutMessage(): Promise<void> {
  const deep = (await messages()).find(message => JSON.stringify(message).includes('deep'))
  expect(deep).toBeDefined()
  expect(levelsOf(deep)).toBeLessThanOrEqual(MAX_LEVELS + 1)
}

interface Event {
  data: { messages?: { message?: unknown }[] }
}

describe('what a stranger sends', () => {
  it.each([600, 1500, 6000])('nested %i quotes deep is cut, and the next text arrives', async depth => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    await rig.whatsapp.sendBytes(EVE, phone, nested(depth))
    await rig.whatsapp.sendText(BUDI, phone, 'after it')
    expect(await arrived('after it')).toBe(true)
    // Protobuf itself gives up on the deepest, which then is a message that nobody can decrypt.
    if (depth < 6000) await cutMessage()
    await rig.send(self, BUDI, 'and back')
    await self.run('STOP_SESSION', { sessionId: rig.sessionId })
  })

  it('as a post of a channel, nested too deep, is cut as well', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    const content = nested(1500).toString('base64')
    await rig.whatsapp.stanza(phone, {
      tag: 'message',
      attrs: { id: 'POST1', from: '120363000000000001@newsletter', type: 'text', t: '1700000000', server_id: '100' },
      content: [{ tag: 'plaintext', attrs: {}, content }],
    })
    await rig.whatsapp.sendText(BUDI, phone, 'after the post')
    expect(await arrived('after the post')).toBe(true)
    await cutMessage()
  })

  it('as a call without an id ends nothing', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    const attrs = { id: 'CALL1', from: '628999000666@s.whatsapp.net', t: '1700000000' }
    await rig.whatsapp.stanza(phone, {
      tag: 'call',
      attrs,
      content: [{ tag: 'offer', attrs: { type: 'group' }, content: [] }],
    })
    await rig.whatsapp.stanza(phone, { tag: 'call', attrs: { ...attrs, id: 'CALL2' } })
    await rig.whatsapp.sendText(BUDI, phone, 'after the calls')
    expect(await arrived('after the calls')).toBe(true)
  })

  it('and nobody can decrypt does not hold up the texts of others', async () => {
    const self = await rig.owner()
    const phone = await rig.link(self)
    await rig.whatsapp.sendText(BUDI, phone, 'before')
    expect(await arrived('before')).toBe(true)
    const rubbish = Buffer.alloc(80, 7).toString('base64')
    for (let n = 0; n < 60; n++) {
      await rig.whatsapp.stanza(phone, {
        tag: 'message',
        attrs: { id: `RUBBISH${n}`, from: `${EVE}@s.whatsapp.net`, type: 'text', t: '1700000000' },
        content: [{ tag: 'enc', attrs: { v: '2', type: 'msg' }, content: rubbish }],
      })
    }
    await rig.whatsapp.sendText(BUDI, phone, 'after the rubbish')
    // With Baileys' own pause before each it would be 15 s.
    expect(await arrived('after the rubbish', 12_000)).toBe(true)
  })
})
