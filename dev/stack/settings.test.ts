import { expect, it } from 'vitest'
import { readStart } from './settings.ts'

it('starts everything when nothing is given', () => {
  expect(readStart({ PATH: '/bin' }, [])).toEqual({
    live: false,
    scan: true,
    persist: true,
    partitions: 1,
    workers: 1,
    path: '/bin',
    given: { secrets: {}, worker: {} },
    ports: {},
  })
})

it('takes what is given, and passes the settings of the worker on', () => {
  const env = {
    REDIS_URL: 'redis://10.0.0.1:6379',
    WEBHOOK_URL: 'https://example.com/hook',
    WA_WEBSOCKET_URL: 'ws://127.0.0.1:9/ws',
    API_KEYS: 'one,two',
    LOG_LEVEL: 'debug',
    SEND_GAP_MS: '250',
    NODE_OPTIONS: '--inspect',
    EDGE_PORT: '8787',
  }
  const read = readStart(env, ['--live', '--no-scan'])
  expect(read).toMatchObject({ live: true, scan: false, ports: { edge: 8787 } })
  expect(read.given).toEqual({
    redisUrl: 'redis://10.0.0.1:6379',
    webhookUrl: 'https://example.com/hook',
    waWebsocketUrl: 'ws://127.0.0.1:9/ws',
    secrets: { apiKey: 'one,two' },
    worker: { LOG_LEVEL: 'debug', SEND_GAP_MS: '250' },
  })
})

it('treats an empty variable as absent', () => {
  expect(readStart({ REDIS_URL: '', PORT: '' }, []).given).toEqual({ secrets: {}, worker: {} })
})

it.each([
  [{ EDGE_PORT: 'http' }, /^EDGE_PORT is not usable/],
  [{ REDIS_URL: 'localhost' }, /^REDIS_URL is not usable/],
  [{ UPSTASH_REDIS_REST_URL: 'https://x.example' }, /belong together/],
  [{ UPSTASH_REDIS_REST_URL: 'https://x.example', UPSTASH_REDIS_REST_TOKEN: 't' }, /needs REDIS_URL/],
])('refuses %j with one line that names it', (env, message) => {
  expect(() => readStart(env, [])).toThrow(message)
})

it('refuses an argument that it does not know', () => {
  expect(() => readStart({}, ['--lively'])).toThrow(/--lively/)
})
