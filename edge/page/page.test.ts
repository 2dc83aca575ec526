import { describe, expect, it } from 'vitest'
import { command, KEY, newSession, OTHER_KEY, post, send, text } from '../testing.ts'

const ORIGIN = 'https://kurir.test'

async function submit(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  return await send(path, {
    method: 'POST',
    headers: { origin: ORIGIN, 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(fields).toString(),
  })
}

async function signIn(key = KEY): Promise<string> {
  const response = await submit('/sign-in', { key })
  return (response.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
}

async function page(path: string, cookie: string): Promise<string> {
  return await (await send(path, { headers: { cookie } })).text()
}

describe('signing in', () => {
  it('asks for the key first', async () => {
    const response = await send('/')
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('name="key"')
  })

  it('gives a cookie that scripts and other sites cannot use, without the key', async () => {
    const response = await submit('/sign-in', { key: ` ${KEY} ` })
    expect(response.status).toBe(303)
    const cookie = response.headers.get('set-cookie') ?? ''
    expect(cookie).toMatch(
      /^__Host-kurir=\d+\.[0-9a-f]{64}; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    )
    expect(cookie).not.toContain(KEY)
    expect(await page('/', cookie.split(';')[0] ?? '')).toContain('Link a WhatsApp account')
  })

  it('refuses a wrong key', async () => {
    const response = await submit('/sign-in', { key: 'a-wrong-key-of-16' })
    expect(response.status).toBe(401)
    expect(response.headers.get('set-cookie')).toBeNull()
    expect(await response.text()).toContain('not an API key')
  })

  it('ends on request', async () => {
    const response = await submit('/sign-out', {}, { cookie: await signIn() })
    expect(response.headers.get('set-cookie')).toMatch(/^__Host-kurir=; Max-Age=0;/)
  })
})

describe('a cookie', () => {
  it.each([
    ['a changed signature', (cookie: string) => cookie.replace(/.$/, last => (last === '0' ? '1' : '0'))],
    ['a later end', (cookie: string) => cookie.replace(/=(\d+)\./, (_, end) => `=${Number(end) + 1}.`)],
    ['no signature', (cookie: string) => cookie.replace(/\..*$/, '')],
    ['nothing', () => '__Host-kurir='],
  ])('with %s is none', async (_, change) => {
    expect(await page('/', change(await signIn()))).toContain('name="key"')
  })

  it('ends when its time is over, and when its key is taken away', async () => {
    const { createSignIn } = await import('./cookie.ts')
    const { importKeys } = await import('../http/api-keys.ts')
    const { Hono } = await import('hono')
    const at = async (now: number, keys: string[], cookie: string) => {
      const signIn = createSignIn({ apiKeys: await importKeys(keys), now: () => now })
      const app = new Hono().get('/', async context => context.json(await signIn.isValid(context as never)))
      return await (await app.request(`${ORIGIN}/`, { headers: { cookie } })).json()
    }
    const cookie = await signIn(OTHER_KEY)
    expect(await at(Date.now(), [KEY, OTHER_KEY], cookie)).toBe(true)
    expect(await at(Date.now() + 12 * 60 * 60 * 1000, [KEY, OTHER_KEY], cookie)).toBe(false)
    expect(await at(Date.now(), [KEY], cookie)).toBe(false)
  })
})

describe('a form', () => {
  const FORMS = ['/sign-in', '/sign-out', '/sessions', '/sessions/a/texts']

  it.each(FORMS)('from another site is refused: %s', async path => {
    const cookie = await signIn()
    for (const origin of ['https://evil.test', 'https://kurir.test.evil.test', 'https://kurir.test:8443', 'null', '']) {
      const response = await submit(
        path,
        { key: KEY, sessionId: 'a', to: '62812345678', text: 'a' },
        { cookie, origin },
      )
      expect(response.status).toBe(403)
    }
  })

  it.each(FORMS.slice(1))('of somebody who is not signed in leads to the sign-in: %s', async path => {
    const response = await submit(path, { sessionId: 'a' })
    expect([response.status, response.headers.get('location')]).toEqual([303, '/'])
  })
})

describe('a session', () => {
  it('is started, by QR or by pairing code', async () => {
    const [cookie, sessionId] = [await signIn(), newSession()]
    const response = await submit('/sessions', { sessionId, phoneNumber: '+62 812 3456 7890' }, { cookie })
    expect(response.headers.get('location')).toBe(`/sessions/${sessionId}`)
    const [id = ''] = (await command('LRANGE', 'bull:whatsapp-jobs:wait', '0', '0')) as string[]
    const data = String(await command('HGET', `bull:whatsapp-jobs:${id}`, 'data'))
    expect(JSON.parse(data)).toEqual({ sessionId, phoneNumber: '6281234567890' })
    await submit('/sessions', { sessionId, phoneNumber: '' }, { cookie })
    const [next = ''] = (await command('LRANGE', 'bull:whatsapp-jobs:wait', '0', '0')) as string[]
    expect(await command('HGET', `bull:whatsapp-jobs:${next}`, 'data')).toBe(JSON.stringify({ sessionId }))
  })

  it('says what is wrong with its name, and keeps what was typed', async () => {
    const response = await submit('/sessions', { sessionId: '"><script>', phoneNumber: '' }, { cookie: await signIn() })
    expect(response.status).toBe(400)
    const html = await response.text()
    expect(html).toContain('sessionId must be 1 to 64')
    expect(html).toContain('&quot;&gt;&lt;script&gt;')
  })

  it('shows its QR, then who it is', async () => {
    const [cookie, sessionId] = [await signIn(), newSession()]
    expect(await page(`/sessions/${sessionId}/live`, cookie)).toContain('Not started')
    await command('HSET', `kurir:session:${sessionId}`, 'state', 'pairing', 'qr', '2@abc', 'updatedAt', '1')
    expect(await page(`/sessions/${sessionId}/live`, cookie)).toContain('<svg')
    await command('HDEL', `kurir:session:${sessionId}`, 'qr')
    await command('HSET', `kurir:session:${sessionId}`, 'state', 'open', 'pushName', '<b>Budi</b>')
    const html = await page(`/sessions/${sessionId}`, cookie)
    expect(html).toContain('Connected')
    expect(html).toContain('&lt;b&gt;Budi&lt;/b&gt;')
  })

  it('sends a test text and shows how it goes', async () => {
    const [cookie, sessionId] = [await signIn(), newSession()]
    const response = await submit(`/sessions/${sessionId}/texts`, { to: '62 812 3456 7890', text: 'hi' }, { cookie })
    const location = response.headers.get('location') ?? ''
    expect(location).toMatch(new RegExp(`^/sessions/${sessionId}\\?job=\\d+$`))
    expect(await page(location, cookie)).toMatch(/Job \d+ is waiting/)
    const bad = await submit(`/sessions/${sessionId}/texts`, { to: 'nobody', text: ' ' }, { cookie })
    expect(bad.status).toBe(400)
    expect(await bad.text()).toMatch(/to is no phone number/)
  })

  it('does not show the job of another one', async () => {
    const { id } = await (await post(text(newSession()))).json<{ id: string }>()
    expect(await page(`/sessions/${newSession()}?job=${id}`, await signIn())).not.toContain(`Job ${id}`)
  })
})

describe('a person', () => {
  it('gets problems as pages', async () => {
    const response = await send('/nothing', { headers: { accept: 'text/html,*/*;q=0.8' } })
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toMatch(/^text\/html/)
  })
})
