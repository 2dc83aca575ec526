import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import * as z from 'zod'
import type { WebhookEvent } from '../../shared/events.ts'
import { keys } from '../../shared/keys.ts'
import type { Clock } from '../../worker/core.ts'
import type { Fence } from '../../worker/ownership/fence.ts'

/** A log for tests: silent. */
export const log = pino({ level: 'silent' })

/** A clock for tests: the system's, which can be put forward. */
export function testClock(): Clock & { add(ms: number): void } {
  let ahead = 0
  return {
    now: () => Date.now() + ahead,
    monotonic: () => performance.now() + ahead,
    add: ms => void (ahead += ms),
  }
}

/** A fence and the way to lose it. */
export interface TestFence extends Fence {
  /** What the owner does when it learns that the lease is lost. */
  abort(): void
}

/** A test file's client of its own Redis, and the leases in it. */
export function testRedis(server: { url: string; close(): Promise<void> }) {
  const redis = new Redis(server.url, { protocol: 2, maxRetriesPerRequest: null, retryStrategy: () => 50 })
  redis.on('error', () => {})
  let epoch = 0
  return {
    redis,
    url: server.url,
    /** Takes the partition's lease from whoever has it. */
    async claim(partition = 0): Promise<TestFence> {
      epoch++
      const token = `worker-${epoch}:${epoch}`
      const controller = new AbortController()
      await redis.set(keys.lease(partition), token)
      return { partition, epoch, token, signal: controller.signal, valid: () => true, abort: () => controller.abort() }
    },
    /** Ends the connection until `redis.connect()`. */
    async cut(): Promise<void> {
      const ended = once(redis, 'end')
      redis.disconnect()
      await ended
    },
    async close(): Promise<void> {
      redis.disconnect()
      await server.close()
    },
  }
}

/** A message event; `text` tells it from others. */
export function message(sessionId: string, text: string): WebhookEvent {
  const key = { remoteJid: '6281234567890@s.whatsapp.net', fromMe: false, id: `3EB0${text.length}` }
  const data = { messages: [{ key, message: { conversation: text }, pushName: 'Budi' }], type: 'notify' as const }
  return { event: 'messages.upsert', sessionId, timestamp: 1_703_839_200, data }
}

const stored = z.object({
  sessionId: z.string(),
  data: z.object({ messages: z.tuple([z.object({ message: z.object({ conversation: z.string() }) })]) }),
})

/** A POST as it came. `text` is the message's. */
export interface Received {
  headers: IncomingHttpHeaders
  body: string
  sessionId: string
  text: string
  seq: number
  attempt: number
}

/** What the receiver does with a POST: answer a status, a status with headers, reset the connection, or hang. */
export type Reaction = number | 'reset' | 'hang' | ((response: ServerResponse) => void)

/** A webhook receiver that writes everything down. */
export async function receiver(react: (post: Received) => Reaction = () => 204) {
  const posts: Received[] = []
  let open = 0
  let mostOpen = 0
  const server = createServer((request, response) => void answer(request, response))
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    open++
    mostOpen = Math.max(mostOpen, open)
    response.on('close', () => open--)
    const body = await text(request)
    const { sessionId, data } = stored.parse(JSON.parse(body))
    const { headers } = request
    const post: Received = {
      headers,
      body,
      sessionId,
      text: data.messages[0].message.conversation,
      seq: Number(headers['kurir-seq']),
      attempt: Number(headers['kurir-attempt']),
    }
    posts.push(post)
    const reaction = react(post)
    if (reaction === 'reset') request.socket.resetAndDestroy()
    else if (typeof reaction === 'function') reaction(response)
    else if (reaction !== 'hang') response.writeHead(reaction).end()
  }
  let connections = 0
  server.on('connection', () => connections++)
  const listen = async (port = 0) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen()
  const { port } = server.address() as AddressInfo
  return {
    url: new URL(`http://127.0.0.1:${port}/hook?tenant=1`),
    /** Every POST that came, in order. */
    posts,
    /** Texts that came for a session, in order. */
    texts: (sessionId: string) => posts.filter(post => post.sessionId === sessionId).map(post => post.text),
    connections: () => connections,
    /** Most requests that were open at the same time. */
    mostOpen: () => mostOpen,
    react(next: (post: Received) => Reaction) {
      react = next
    },
    /** Refuses connections until `up`. */
    async down(): Promise<void> {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
    up: async () => listen(port),
    async close(): Promise<void> {
      server.closeAllConnections()
      server.close()
    },
  }
}
