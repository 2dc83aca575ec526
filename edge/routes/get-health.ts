import type { Route } from '../http/route.ts'

/** `GET /v1/health`: whether the edge reaches Redis. It asks for a key like the rest, since each call costs a request. */
export const getHealth: Route = {
  method: 'GET',
  path: '/v1/health',
  access: 'key',
  async handle(context, { redis }) {
    await redis.command('PING')
    return context.json({ status: 'ok', redis: 'ok' })
  },
}
