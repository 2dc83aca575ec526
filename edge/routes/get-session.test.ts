import { describe, expect, it } from 'vitest'
import { writeSessionView, type SessionView } from '../../shared/session.ts'
import { command, get, newSession } from '../testing.ts'

const QR = '2@abcdefghijklmnop,qrstuvwxyz0123456789+/==,AAAA,BBBB'

async function session(view: Omit<SessionView, 'updatedAt'>): Promise<string> {
  const sessionId = newSession()
  await command(
    'HSET',
    `kurir:session:${sessionId}`,
    ...Object.entries(writeSessionView({ ...view, updatedAt: 1 })).flat(),
  )
  return sessionId
}

describe('a session', () => {
  it('is told as the worker left it', async () => {
    const view: SessionView = {
      state: 'backoff',
      jid: '6281234567890@s.whatsapp.net',
      lid: '123@lid',
      pushName: 'Budi',
      lastDisconnect: { statusCode: 428, reason: 'connectionClosed', willReconnect: true },
      updatedAt: 1,
    }
    const sessionId = await session(view)
    expect(await (await get(`/v1/sessions/${sessionId}`)).json()).toEqual({ sessionId, ...view })
  })

  it('shows its QR while it has one', async () => {
    const sessionId = await session({ state: 'pairing', qr: QR })
    expect(await (await get(`/v1/sessions/${sessionId}`)).json()).toMatchObject({ state: 'pairing', qr: QR })
  })

  it.each(['nobody', 'a%2Fb', '-', 'x'.repeat(65)])('that is not there is a 404: %s', async sessionId => {
    const response = await get(`/v1/sessions/${sessionId}`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })
})

describe('a QR', () => {
  it.each([
    [undefined, 'image/svg+xml'],
    ['*/*', 'image/svg+xml'],
    ['text/html, image/*;q=0.8', 'image/svg+xml'],
    ['image/png', 'image/png'],
    ['image/svg+xml;q=0.5, image/png', 'image/png'],
    ['image/svg+xml;q=0, */*', 'image/png'],
    ['text/plain', 'text/plain; charset=utf-8'],
  ])('for Accept %s is %s', async (accept, type) => {
    const sessionId = await session({ state: 'pairing', qr: QR })
    const response = await get(`/v1/sessions/${sessionId}/qr`, accept === undefined ? {} : { accept })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(type)
    expect(response.headers.get('cache-control')).toBe('no-store')
    await response.arrayBuffer()
  })

  it('as PNG decodes to the modules of the SVG', async () => {
    const sessionId = await session({ state: 'pairing', qr: QR })
    const png = new Uint8Array(await (await get(`/v1/sessions/${sessionId}/qr`, { accept: 'image/png' })).arrayBuffer())
    const svg = await (await get(`/v1/sessions/${sessionId}/qr`)).text()
    expect(await darkModules(png, 8)).toEqual(
      [...svg.matchAll(/M(\d+),(\d+)h10/g)].map(([, x, y]) => `${x},${y}`).sort(),
    )
  })

  it('that cannot be given in any accepted type is a 406', async () => {
    const sessionId = await session({ state: 'pairing', qr: QR })
    const response = await get(`/v1/sessions/${sessionId}/qr`, { accept: 'application/pdf' })
    expect(response.status).toBe(406)
    expect(await response.json()).toMatchObject({ code: 'NOT_ACCEPTABLE' })
  })

  it('is a 404 while there is none, with the state', async () => {
    const response = await get(`/v1/sessions/${await session({ state: 'open' })}/qr`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'QR_NOT_AVAILABLE', detail: 'the session is open' })
  })

  it('of no session is a 404', async () => {
    expect(await (await get('/v1/sessions/nobody/qr')).json()).toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })
})

describe('a pairing code', () => {
  it.each([undefined, '*/*', 'text/plain'])('is text, for Accept %s', async accept => {
    const sessionId = await session({ state: 'pairing', pairingCode: 'ABCD1234' })
    const response = await get(`/v1/sessions/${sessionId}/qr`, accept === undefined ? {} : { accept })
    expect(await response.text()).toBe('ABCD1234\n')
  })

  it('is no image', async () => {
    const sessionId = await session({ state: 'pairing', pairingCode: 'ABCD1234' })
    expect((await get(`/v1/sessions/${sessionId}/qr`, { accept: 'image/png' })).status).toBe(406)
  })
})

/** Reads a PNG of ours as a decoder would, and gives the dark modules at ten units each, as `x,y`. */
async function darkModules(png: Uint8Array, scale: number): Promise<string[]> {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength)
  const side = view.getUint32(16)
  const length = view.getUint32(33)
  const data = new Blob([png.slice(41, 41 + length)]).stream().pipeThrough(new DecompressionStream('deflate'))
  const lines = new Uint8Array(await new Response(data).arrayBuffer())
  const stride = 1 + Math.ceil(side / 8)
  const dark: string[] = []
  for (let y = 0; y < side; y += scale) {
    for (let x = 0; x < side; x += scale) {
      const byte = lines[y * stride + 1 + (x >> 3)] ?? 0
      if ((byte & (0x80 >> (x & 7))) === 0) dark.push(`${(x / scale) * 10},${(y / scale) * 10}`)
    }
  }
  return dark.sort()
}
