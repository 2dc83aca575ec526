import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Agent } from 'undici'
import { JobFailure } from '../jobs/job.ts'
import { fetchMedia } from './fetch-media.ts'
import { createGuardedAgent } from './guard.ts'

let server: Server
let origin: string
let answer: (request: IncomingMessage, response: ServerResponse) => void
let agent: Agent
let requests: string[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(request.url ?? '')
    answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  agent = createGuardedAgent({ allowHosts: new Set([new URL(origin).host]) })
})

afterAll(async () => {
  await agent.destroy()
  server.closeAllConnections()
  server.close()
})

beforeEach(() => {
  requests = []
})

const never = new AbortController().signal

async function fetched(url: string, maxBytes = 1000, signal = never, timeoutMs = 5000) {
  const { body, contentType, names } = await fetchMedia(url, { agent, maxBytes, timeoutMs }, signal)
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  return { bytes: Buffer.concat(chunks), contentType, names }
}

async function failureOf(promise: Promise<unknown>): Promise<{ code: string; retry: string; message: string }> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(JobFailure)
  const { code, retry, message } = error as JobFailure
  return { code, retry, message }
}

test('gives the names that it came with, the best first', async () => {
  answer = ({ url }, response) => {
    if (url === '/final/b.pdf')
      response.setHeader('content-disposition', 'attachment; filename="invoice 7.pdf"').end('x')
    else response.writeHead(302, { location: '/final/b.pdf' }).end()
  }
  expect((await fetched(`${origin}/get/a.php`)).names).toEqual(['invoice 7.pdf', 'b.pdf', 'a.php'])
})

test('gives the bytes and the content type', async () => {
  answer = (_request, response) => response.writeHead(200, { 'content-type': 'image/png' }).end('picture')
  expect(await fetched(`${origin}/a.png`)).toEqual({
    bytes: Buffer.from('picture'),
    contentType: 'image/png',
    names: ['a.png'],
  })
})

test.each([
  [404, 'never'],
  [403, 'never'],
  [204, 'never'],
  [429, 'backoff'],
  [500, 'backoff'],
  [503, 'backoff'],
])('a %i is tried again: %s', async (status, retry) => {
  answer = (_request, response) => response.writeHead(status).end()
  expect(await failureOf(fetched(`${origin}/`))).toMatchObject({ code: 'MEDIA_FETCH_FAILED', retry })
})

test('follows three redirects, relative ones too, and not a fourth', async () => {
  answer = (request, response) => {
    const step = Number(request.url?.slice(1))
    if (step === 3) response.end('there')
    else response.writeHead(302, { location: `/${step + 1}` }).end()
  }
  expect((await fetched(`${origin}/0`)).bytes.toString()).toBe('there')
  const failure = await failureOf(fetched(`${origin}/-1`))
  expect(failure).toMatchObject({ code: 'MEDIA_FETCH_FAILED', retry: 'never' })
  expect(requests).toHaveLength(8)
})

test('checks every hop: a redirect into the private network is refused', async () => {
  answer = (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/secret' }).end()
  expect(await failureOf(fetched(`${origin}/`))).toMatchObject({ code: 'MEDIA_HOST_FORBIDDEN', retry: 'never' })
  answer = (_request, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end()
  expect(await failureOf(fetched(`${origin}/`))).toMatchObject({ code: 'MEDIA_FETCH_FAILED', retry: 'never' })
})

test('stops at the limit, announced or not', async () => {
  answer = (_request, response) => response.writeHead(200, { 'content-length': '1001' }).end(Buffer.alloc(1001))
  expect(await failureOf(fetched(`${origin}/`))).toMatchObject({ code: 'MEDIA_TOO_LARGE', retry: 'never' })
  let endless: ReturnType<typeof setInterval> | undefined
  answer = (_request, response) => {
    endless = setInterval(() => response.write(Buffer.alloc(300)), 1)
    response.on('close', () => clearInterval(endless))
  }
  expect(await failureOf(fetched(`${origin}/`))).toMatchObject({ code: 'MEDIA_TOO_LARGE', retry: 'never' })
})

test('a connection that is refused or cut is tried again', async () => {
  const closed = createGuardedAgent({ allowHosts: new Set(['127.0.0.1:1']) })
  const refusal = fetchMedia('http://127.0.0.1:1/', { agent: closed, maxBytes: 10 }, never)
  expect(await failureOf(refusal)).toMatchObject({ code: 'MEDIA_FETCH_FAILED', retry: 'backoff' })
  await closed.destroy()
  answer = (_request, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('half', () => response.destroy())
  }
  expect(await failureOf(fetched(`${origin}/`))).toMatchObject({ code: 'MEDIA_FETCH_FAILED', retry: 'backoff' })
})

test('a drip ends at the deadline', async () => {
  answer = (_request, response) => {
    const drip = setInterval(() => response.write('.'), 5)
    response.on('close', () => clearInterval(drip))
  }
  const failure = await failureOf(fetched(`${origin}/`, 1e9, never, 150))
  expect(failure).toMatchObject({
    code: 'MEDIA_FETCH_FAILED',
    retry: 'backoff',
    message: expect.stringContaining('too long'),
  })
})

test('an abort ends it with the reason of the signal', async () => {
  const abort = new AbortController()
  const reason = new Error('the socket closed')
  answer = () => abort.abort(reason)
  await expect(fetched(`${origin}/`, 1000, abort.signal)).rejects.toBe(reason)
})

test('refuses a body that is compressed without being asked for, and a user in the URL', async () => {
  answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x')
  expect(await failureOf(fetched(`${origin}/`))).toMatchObject({ code: 'MEDIA_FETCH_FAILED', retry: 'never' })
  const url = origin.replace('http://', 'http://user:secret@')
  const failure = await failureOf(fetched(`${url}/`))
  expect(failure).toMatchObject({ code: 'MEDIA_FETCH_FAILED', retry: 'never' })
  expect(failure.message).not.toContain('secret')
})
