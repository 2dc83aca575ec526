import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keys } from '../../shared/keys.ts'
import { command, get, send } from '../testing.ts'

const clear = async () => command('DEL', keys.workers, keys.endpoint, keys.lease(0), keys.lease(1))
beforeEach(clear)
afterEach(clear)

describe('what is deployed', () => {
  it('without any worker, is partitions that nobody owns', async () => {
    const response = await get('/v1')
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      workers: [],
      partitions: [{ partition: 0, worker: null }],
    })
  })

  it('is the live workers, the owner of each partition and the state of the webhook', async () => {
    const now = Date.now()
    await command('ZADD', keys.workers, String(now + 60_000), 'host-b-1-aa', String(now + 60_000), 'host-a-7-bb')
    await command('ZADD', keys.workers, String(now - 1000), 'host-gone-3-cc')
    await command('SET', keys.lease(0), 'host-a-7-bb:12')
    await command('HSET', keys.endpoint, 'state', 'down', 'since', '1764400000000')
    expect(await (await get('/v1')).json()).toMatchObject({
      workers: ['host-a-7-bb', 'host-b-1-aa'],
      partitions: [{ partition: 0, worker: 'host-a-7-bb' }],
      webhook: { state: 'down', since: 1_764_400_000_000 },
    })
  })

  it('is told to those alone who have a key', async () => {
    expect((await send('/v1')).status).toBe(401)
  })
})
