import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Readiness } from './readiness.ts'

/** What the health server shows. */
export interface HealthDeps {
  /** 0 takes a free one. */
  port: number
  /** Default: every interface, since probes come from outside the container. Nothing here is secret or can be changed. */
  host?: string
  log: Logger
  registry: Registry
  readiness: () => Promise<Readiness>
}

/** A running health server. */
export interface HealthServer {
  port: number
  close(): Promise<void>
}

const REQUEST_TIMEOUT_MS = 5000
const MAX_CONNECTIONS = 64

/**
 * Serves `/healthz` (200 while the event loop turns), `/readyz` (200 or 503, with {@link Readiness} as JSON) and
 * `/metrics` (Prometheus text). Rejects when the port cannot be had.
 */
export async function startHealthServer({ port, host, log, registry, readiness }: HealthDeps): Promise<HealthServer> {
  const pages: Record<string, (response: ServerResponse) => Promise<void>> = {
    '/healthz': async response => send(response, 200, { status: 'ok' }),
    '/readyz': async response => {
      const answer = await readiness()
      send(response, answer.ready ? 200 : 503, answer)
    },
    '/metrics': async response => {
      const text = await registry.metrics()
      response.writeHead(200, { 'content-type': registry.contentType }).end(text)
    },
  }

  const listener: RequestListener = (request, response) => {
    const path = (request.url ?? '').replace(/\?.*$/s, '')
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined
    if (page === undefined) return send(response, 404, { status: 'not found' })
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return send(response, 405, { status: 'method not allowed' })
    }
    page(response).catch((error: unknown) => {
      log.error({ err: error, path }, 'a health page failed')
      send(response, 500, { status: 'error' })
    })
    return undefined
  }

  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }, listener)
  // The oldest goes when there are too many: connections that somebody opens and leaves idle must not keep an orchestrator
  // from asking, which would start the worker anew.
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    if (open.size > MAX_CONNECTIONS) open.values().next().value?.destroy()
  })
  server.listen(port, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(body)}\n`)
}
