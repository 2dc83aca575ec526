import { DEFAULT_CONNECTION_CONFIG, initAuthCreds, makeWASocket } from '@whiskeysockets/baileys'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { baileysLog } from '../../whatsapp/baileys-log.ts'
import { limitQueries } from './query-limit.ts'

const MS = 1000

function socket() {
  const sock = makeWASocket({
    auth: { creds: initAuthCreds(), keys: { get: async () => ({}), set: async () => {} } },
    logger: baileysLog(pino({ level: 'silent' })),
    // Nobody listens there.
    waWebSocketUrl: 'ws://127.0.0.1:1',
    connectTimeoutMs: 0,
    defaultQueryTimeoutMs: undefined,
    getMessage: DEFAULT_CONNECTION_CONFIG.getMessage,
  })
  limitQueries(sock, MS)
  return sock
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('gives a query up that is not answered in time', async () => {
  const { waitForMessage } = socket()
  const answer = waitForMessage('one')
  await vi.advanceTimersByTimeAsync(MS)
  expect(await answer).toBeUndefined()
})

it('leaves no timer behind an answer, nor behind the end of the socket', async () => {
  const { waitForMessage, ws } = socket()
  const before = vi.getTimerCount()
  const [answered, cut] = [waitForMessage('one'), waitForMessage('two')]
  expect(vi.getTimerCount()).toBe(before + 2)
  ws.emit('TAG:one', { tag: 'iq', attrs: {} })
  expect(await answered).toEqual({ tag: 'iq', attrs: {} })
  ws.emit('close', new Error('closed'))
  await expect(cut).rejects.toThrow('closed')
  expect(vi.getTimerCount()).toBe(before)
})
