import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import { BadRequest, readCommand, readCommands, type Command } from './commands.ts'
import { encodeError, encodeReply, type Reply } from './encode.ts'

/** Upstash's limit of requests and of replies on most plans. A reply is refused after the command has run. */
const MAX_BYTES = 10 * 1024 * 1024

/** What a gateway is given. */
export interface RestGatewayOptions {
  redisUrl: string
  /** The bearer token that every request must carry. */
  token: string
  /** Of 127.0.0.1; a free one when absent or 0. */
  port?: number
  /** Called once per HTTP request with its number of top-level Redis commands. */
  onRequest?: (commands: number) => void
}

/** A running gateway. */
export interface RestGateway {
  url: string
  close(): Promise<void>
}

/**
 * Serves a Redis over Upstash's REST protocol on loopback: `/`, `/<command>/<arg>...`, `/pipeline`, `/multi-exec`,
 * bearer token or `_token`, `Upstash-Encoding: base64`. All requests share one connection, as commands over REST are
 * stateless; those that would take the connection over are refused. For development and tests, never deployed.
 */
export async function startRestGateway(options: RestGatewayOptions): Promise<RestGateway> {
  // RESP2 without reply transformers: replies must leave as Redis gave them. A command that cannot be sent fails at
  // once: queueing it would store a job after its poster was told that it was not stored.
  const redis = new Redis(options.redisUrl, {
    protocol: 2,
    stringNumbers: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    lazyConnect: true,
    retryStrategy: attempt => Math.min(50 * attempt, 1000),
  })
  redis.on('error', () => {})
  await redis.connect()
  const server = createServer((request, response) => {
    void answer(request, response, redis, options)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      redis.disconnect()
    },
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  redis: Redis,
  options: RestGatewayOptions,
): Promise<void> {
  const send = (status: number, json: string): void => {
    if (json.length > MAX_BYTES) return send(400, encodeError(tooLarge(json.length)))
    response
      .writeHead(status, { 'content-type': 'application/json', 'upstash-sync-token': syncToken() })
      .end(json, () => request.resume())
  }
  try {
    const url = new URL(request.url ?? '/', 'http://gateway')
    if (!isAuthorized(request, url, options.token)) {
      return send(401, encodeError('WRONGPASS invalid or missing auth token'))
    }
    if (!isAllowed(request.method, url.pathname)) return send(405, encodeError('ERR method not allowed'))
    const body = await readBody(request)
    const base64 = request.headers['upstash-encoding'] === 'base64'
    if (url.pathname === '/pipeline' || url.pathname === '/multi-exec') {
      const commands = readCommands(body)
      options.onRequest?.(commands.length)
      const replies =
        url.pathname === '/pipeline' ? await pipeline(redis, commands) : await transaction(redis, commands)
      return send(200, `[${replies.map(reply => encodeReply(reply, base64)).join(',')}]`)
    }
    const [name, ...args] = readCommand(url, body)
    options.onRequest?.(1)
    return send(200, encodeReply((await redis.callBuffer(name, ...args)) as Reply, base64))
  } catch (error) {
    if (error instanceof BadRequest) return send(error.status, encodeError(error.message))
    if (isReplyError(error)) return send(400, encodeError(error.message))
    return send(503, encodeError('ERR redis is unreachable'))
  }
}

async function pipeline(redis: Redis, commands: Command[]): Promise<Reply[]> {
  const replies = await Promise.allSettled(commands.map(([name, ...args]) => redis.callBuffer(name, ...args)))
  return replies.map(reply => {
    if (reply.status === 'fulfilled') return reply.value as Reply
    if (isReplyError(reply.reason)) return reply.reason
    throw reply.reason
  })
}

/** MULTI and EXEC leave in one write with all commands between them, so no other request's command falls inside. */
async function transaction(redis: Redis, commands: Command[]): Promise<Reply[]> {
  const sent = [['MULTI'] as Command, ...commands, ['EXEC'] as Command]
  const replies = await Promise.allSettled(sent.map(([name, ...args]) => redis.callBuffer(name, ...args)))
  const outcome = replies.at(-1)
  if (outcome?.status !== 'fulfilled') throw outcome?.reason ?? new Error('no reply')
  return outcome.value as Reply[]
}

function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

function isAllowed(method: string | undefined, path: string): boolean {
  if (method === 'POST' || method === 'PUT') return true
  return (method === 'GET' || method === 'HEAD') && path !== '/' && path !== '/pipeline' && path !== '/multi-exec'
}

function isAuthorized(request: IncomingMessage, url: URL, token: string): boolean {
  const header = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const given = header ?? url.searchParams.get('_token') ?? ''
  return timingSafeEqual(sha256(given), sha256(token))
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BYTES) throw new BadRequest(413, tooLarge(size))
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function tooLarge(size: number): string {
  return `ERR max request size exceeded. Limit: ${MAX_BYTES} bytes, Actual: ${size} bytes`
}

function syncToken(): string {
  return randomBytes(9).toString('base64url')
}
