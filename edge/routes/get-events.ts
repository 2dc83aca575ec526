import { Problem } from '../http/problem.ts'
import type { Route } from '../http/route.ts'

/** `GET /v1/sessions/{sessionId}/events`: how the delivery of the session's events stands. */
export const getEvents: Route = {
  method: 'GET',
  path: '/v1/sessions/:sessionId/events',
  access: 'key',
  async handle(context, { events }) {
    const sessionId = context.req.param('sessionId') ?? ''
    const status = await events.find(sessionId)
    if (status === undefined) throw new Problem('SESSION_NOT_FOUND')
    return context.json({ sessionId, ...status })
  },
}
