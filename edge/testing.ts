import { env, exports } from 'cloudflare:workers'
import { inject } from 'vitest'
// oxlint-disable-next-line no-restricted-imports -- a type alone: what dev/rest provides to these tests
import type { TestServers } from '../dev/testing/rest-provided.ts'
import { createApp } from './app.ts'
import { createRedisClient, type RedisClient, type Reply } from './redis/client.ts'
import { createServices } from './services.ts'
import { readSettings } from './settings.ts'

/** The keys of vitest.config.ts. */
export const KEY = 'the-first-test-key'
export const OTHER_KEY = 'the-second-test-key'

const ORIGIN = 'https://kurir.test'

/** Sends a request to the edge, under workerd as it is deployed; with settings given, to another edge under those. */
export async function send(path: string, init: RequestInit = {}, settings?: Record<string, string>): Promise<Response> {
  const request = new Request(new URL(path, ORIGIN), { redirect: 'manual', ...init })
  if (settings === undefined) return (exports as { default: Fetcher }).default.fetch(request)
  const app = createApp(await createServices(readSettings({ ...env, ...settings })))
  return app.fetch(request)
}

/** Sends a request with an API key. */
export function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return send(path, { headers: { authorization: `Bearer ${KEY}`, ...headers } })
}

/** Posts JSON with an API key. A string is sent as it is. */
export function post(
  body: unknown,
  { headers = {}, settings }: { headers?: Record<string, string>; settings?: Record<string, string> } = {},
): Promise<Response> {
  const init = {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  }
  return send('/v1/jobs', init, settings)
}

/** The servers of this run. */
export const servers: TestServers = inject('servers')

/** The Redis behind the gateway. */
export function redis(): RedisClient {
  return createRedisClient({ url: servers.restUrl, token: servers.restToken, timeoutMs: 5000 })
}

/** Runs one command. */
export function command(...parts: string[]): Promise<Reply> {
  return redis().command(...parts)
}

let sessions = 0

/** A session id that no other test uses. */
export function newSession(): string {
  return `session-${Date.now()}-${sessions++}`
}

/** A text job, as the contract has it. */
export function text(sessionId: string, body = 'Halo!') {
  return { name: 'SEND_TEXT', data: { sessionId, to: '6281234567890@s.whatsapp.net', text: body } }
}
