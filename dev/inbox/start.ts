import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { importSecret } from '../../shared/signature.ts'
import { answer, Answers } from './answers.ts'
import { examine, type Arrival } from './arrival.ts'
import { Arrivals } from './arrivals.ts'
import { readBody } from './body.ts'
import { handleControl } from './control.ts'
import type { Inbox } from './inbox.ts'

/** How an inbox is started. */
export interface InboxOptions {
  /** `whsec_...`; a delivery is accepted when it is signed with any of them. */
  secrets: readonly string[]
  /** Default: a free one. */
  port?: number
  /** How many arrivals are kept; default 10,000. */
  keep?: number
  onArrival?: (arrival: Arrival) => void
}

/** Starts an inbox. Throws `SecretError` for a bad secret. */
export async function startInbox({ secrets, port = 0, keep = 10_000, onArrival }: InboxOptions): Promise<Inbox> {
  const keys = await Promise.all(secrets.map(importSecret))
  const arrivals = new Arrivals(keep)
  const answers = new Answers()

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    const at = Date.now()
    const examined = await examine(keys, request.headers, body)
    const signed = examined.id !== undefined
    const rule = signed ? answers.take(examined.event?.sessionId) : undefined
    const answered = await answer(request, response, signed ? rule : { ...UNSIGNED })
    const arrival = arrivals.add({ at, answered, ...examined })
    onArrival?.(arrival)
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A page that a browser was lured to under another name must not read messages here (DNS rebinding).
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? '')) response.writeHead(421).end()
    else if (request.method === 'POST' && request.url === '/') await receive(request, response)
    else await handleControl(inbox, arrivals, request, response)
  }

  const inbox: Inbox = {
    url: '',
    arrivals: filter => arrivals.list(filter),
    wait: (what, passes, timeoutMs) => arrivals.wait(what, passes, timeoutMs),
    answerWith: rule => answers.add(rule),
    answerNormally: () => answers.clear(),
    down: () => close(server),
    up: () => listen(server, bound),
    close: () => close(server),
  }
  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy())
  })
  await listen(server, port)
  const bound = (server.address() as AddressInfo).port
  return Object.assign(inbox, { url: `http://127.0.0.1:${bound}` })
}

const UNSIGNED = { status: 401, delayMs: 0, headers: {}, reset: false }

async function listen(server: Server, port: number): Promise<void> {
  if (server.listening) return
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = new Promise(resolve => server.close(resolve))
  server.closeAllConnections()
  await closed
}
