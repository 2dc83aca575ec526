import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'
import type { Context } from '../context.ts'
import { ControlError } from '../errors.ts'
import { controlRoutes } from './routes.ts'

const HOST = '127.0.0.1'
const MAX_BODY = 64 * 1024 * 1024

/** Serves the control side as JSON on loopback. */
export async function startControl(context: Context, port: number): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => void respond(context, request, response))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, resolve)
  })
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function respond(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, body } = await answer(context, request).catch(failureOf)
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

async function answer(context: Context, request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  // A web page must not be able to drive the simulator of a developer: browsers send Origin, tools do not.
  const host = request.headers.host?.split(':')[0]
  if (host !== HOST && host !== 'localhost') throw new ControlError(403, 'host_refused', 'only loopback is served')
  if (request.headers.origin !== undefined) throw new ControlError(403, 'origin_refused', 'browsers are not served')
  const url = new URL(request.url ?? '/', `http://${HOST}`)
  const route = controlRoutes.find(({ method, path }) => method === request.method && path === url.pathname)
  if (!route) throw new ControlError(404, 'route_unknown', `no route ${request.method ?? ''} ${url.pathname}`)
  const input = request.method === 'GET' ? Object.fromEntries(url.searchParams) : await bodyOf(request)
  return { status: 200, body: await route.run(context, input) }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY) throw new ControlError(413, 'body_too_large', 'the body is too large')
    chunks.push(chunk)
  }
  if (size === 0) return {}
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    throw new ControlError(400, 'body_malformed', 'the body is not JSON')
  }
}

function failureOf(error: unknown): { status: number; body: unknown } {
  if (error instanceof ControlError) return { status: error.status, body: { code: error.code, message: error.message } }
  if (error instanceof z.ZodError)
    return { status: 400, body: { code: 'input_invalid', message: z.prettifyError(error) } }
  const message = error instanceof Error ? error.message : String(error)
  return { status: 500, body: { code: 'internal', message } }
}
