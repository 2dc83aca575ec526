import { afterEach, describe, expect, it, vi } from 'vitest'
import { routes } from '../app.ts'
import { KEY, newSession, OTHER_KEY, post, send, servers, text } from '../testing.ts'

const guarded = routes.filter(route => route.access === 'key')

function toPath(path: string): string {
  return path.replaceAll(/:\w+/g, 'x')
}

/** What is wrong about the key of a request. */
const WRONG: [string, Record<string, string>][] = [
  ['none', {}],
  ['an empty one', { authorization: 'Bearer ' }],
  ['an unknown one', { authorization: 'Bearer the-third-test-key' }],
  ['one with a character more', { authorization: `Bearer ${KEY}x` }],
  ['one with a character less', { 'x-api-key': KEY.slice(0, -1) }],
  ['all of them at once', { 'x-api-key': `${KEY},${OTHER_KEY}` }],
  ['another scheme', { authorization: `Basic ${btoa(`x:${KEY}`)}` }],
  ['an unknown one beside a good one', { authorization: 'Bearer nope', 'x-api-key': KEY }],
]

describe.each(guarded.map(({ method, path }) => ({ method, path })))('$method $path', ({ method, path }) => {
  it.each(WRONG)('is closed to a request with %s as key', async (_, headers) => {
    const response = await send(toPath(path), { method, headers })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="kurir"')
    expect(await response.json()).toMatchObject({ code: 'UNAUTHORIZED' })
  })

  it.each([
    { authorization: `Bearer ${KEY}` },
    { authorization: `bearer ${OTHER_KEY}` },
    { 'x-api-key': KEY },
    { 'x-api-key': OTHER_KEY },
  ])('is open to %j', async headers => {
    expect((await send(toPath(path), { method, headers })).status).not.toBe(401)
  })

  it('does not take the cookie of the page for a key', async () => {
    const cookie = await signIn()
    expect((await send(toPath(path), { method, headers: { cookie } })).status).toBe(401)
  })
})

async function signIn(): Promise<string> {
  const headers = { origin: 'https://kurir.test', 'content-type': 'application/x-www-form-urlencoded' }
  const response = await send('/sign-in', {
    method: 'POST',
    headers,
    body: new URLSearchParams({ key: KEY }).toString(),
  })
  return (response.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
}

describe('every answer', () => {
  it.each(['/', '/v1/jobs', '/v1/nothing', '/v1/health', '/assets/page.css'])(
    'has the safe headers: %s',
    async path => {
      const response = await send(path)
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(response.headers.get('x-request-id')).toBeTruthy()
      const kept = path.startsWith('/assets/') ? 'public, max-age=300' : 'no-store'
      expect(response.headers.get('cache-control')).toBe(kept)
    },
  )

  it('that is a page takes scripts of our own alone, in no frame', async () => {
    const { headers } = await send('/')
    expect(headers.get('content-security-policy')).toContain("script-src 'self';")
    expect(headers.get('content-security-policy')).not.toContain('unsafe')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('referrer-policy')).toBe('same-origin')
  })

  it('has the id of its request, if that is a plain one', async () => {
    const idOf = async (id: string) =>
      (await send('/', { headers: { 'x-request-id': id } })).headers.get('x-request-id')
    expect(await idOf('order-17.3_a')).toBe('order-17.3_a')
    for (const id of ['', 'a b', '<script>', 'x'.repeat(65)]) expect(await idOf(id)).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('to an unknown path is a problem', async () => {
    const response = await send('/v1/nothing')
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'NOT_FOUND' })
  })

  it.each(routes.map(({ path }) => path))('to a wrong method is a 405: %s', async path => {
    const response = await send(toPath(path), { method: 'DELETE' })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toMatch(/^(GET, HEAD|POST)/)
    expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
  })
})

describe('a body', () => {
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }

  it('over 10 MiB is refused by its Content-Length', async () => {
    const response = await send('/v1/jobs', { method: 'POST', headers, body: ' '.repeat(10 * 1024 * 1024 + 1) })
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ code: 'BODY_TOO_LARGE' })
  })

  it('over 10 MiB is refused while it streams', async () => {
    const mebibyte = new Uint8Array(1024 * 1024).fill(0x20)
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent++
        if (sent > 100) controller.close()
        else controller.enqueue(mebibyte)
      },
    })
    const response = await send('/v1/jobs', { method: 'POST', headers, body })
    expect(response.status).toBe(413)
    expect(sent).toBeLessThan(30)
  })

  it('in bytes that are no UTF-8 is refused', async () => {
    const body = new Uint8Array([...new TextEncoder().encode('{"name":"'), 0xff, ...new TextEncoder().encode('"}')])
    const response = await send('/v1/jobs', { method: 'POST', headers, body })
    expect(await response.json()).toMatchObject({ code: 'INVALID_JSON' })
  })
})

describe('what is said and logged', () => {
  afterEach(() => vi.restoreAllMocks())

  it('never holds a key, a token or a message', async () => {
    const lines: string[] = []
    for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const) {
      vi.spyOn(console, level).mockImplementation((...parts: unknown[]) => void lines.push(JSON.stringify(parts)))
    }
    const secret = 'a very private message'
    const responses = [
      await post(text(newSession(), secret), { settings: { UPSTASH_REDIS_REST_URL: servers.closedUrl } }),
      await post(text(newSession(), secret), { settings: { UPSTASH_REDIS_REST_TOKEN: 'a-wrong-token' } }),
      await post(`{"name": "${secret}`),
      await post({ name: secret, data: { secret } }),
    ]
    expect(responses.map(response => response.status)).toEqual([503, 500, 400, 400])
    const said = (await Promise.all(responses.map(response => response.text()))).join('\n') + lines.join('\n')
    for (const word of [secret, KEY, servers.restToken, 'a-wrong-token']) expect(said).not.toContain(word)
    expect(lines).toHaveLength(2)
  })

  it('names a setting that is missing or bad, and never its value', async () => {
    const { readSettings } = await import('../settings.ts')
    expect(() => readSettings({ UPSTASH_REDIS_REST_URL: 'not-a-url', API_KEYS: 'short', PARTITIONS: '0' })).toThrow(
      'missing or bad setting: UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN, API_KEYS, PARTITIONS',
    )
  })

  it('is a clear problem when the edge is misconfigured', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => {})
    const { default: edge } = await import('../index.ts')
    const context = { waitUntil() {}, passThroughOnException() {}, props: {} } as unknown as ExecutionContext
    const response = await edge.fetch(new Request('https://kurir.test/v1/jobs'), { API_KEYS: KEY }, context)
    expect(response.status).toBe(500)
    const problem = await response.json()
    expect(problem).toMatchObject({
      code: 'MISCONFIGURED',
      detail: 'missing or bad setting: UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN',
    })
    expect(error).toHaveBeenCalledOnce()
  })
})
