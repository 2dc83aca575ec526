import { Problem } from '../http/problem.ts'
import type { Route } from '../http/route.ts'

/** `GET /v1/sessions/{sessionId}/jobs/{jobId}`: how a job is doing. */
export const getJob: Route = {
  method: 'GET',
  path: '/v1/sessions/:sessionId/jobs/:jobId',
  access: 'key',
  async handle(context, { jobs }) {
    const job = await jobs.find(context.req.param('sessionId') ?? '', context.req.param('jobId') ?? '')
    if (job === undefined) throw new Problem('JOB_NOT_FOUND')
    return context.json(job)
  },
}
