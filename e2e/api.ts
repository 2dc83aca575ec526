import * as z from 'zod'
import { until } from '../dev/stack/until.ts'
import { JOB_CODES } from '../shared/errors.ts'
import { jobResult } from '../shared/receipt.ts'
import { sessionView, type SessionState } from '../shared/session.ts'

/** What the edge answers for an accepted job. */
export const accepted = z.object({ id: z.string(), name: z.string(), sessionId: z.string(), statusUrl: z.url() })
const jobStatus = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(['waiting', 'active', 'delayed', 'completed', 'failed']),
  attempts: z.number(),
  result: jobResult.optional(),
  error: z.object({ code: z.enum(JOB_CODES), message: z.string() }).optional(),
})

/** See {@link accepted}. */
export type Accepted = z.infer<typeof accepted>
/** What the edge tells of a job. */
export type JobStatus = z.infer<typeof jobStatus>
/** A job as it is posted: hostile tests post anything. */
export type PostedJob = { name: string; data: Record<string, unknown>; opts?: Record<string, unknown> }

/** A client of the edge, over real HTTP. Its answers are checked against the shapes that the README promises. */
export type Api = ReturnType<typeof createApi>

/** Makes a client. */
export function createApi({ edge, apiKey }: { edge: string; apiKey: string }) {
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
  const send = async (body: unknown): Promise<unknown> => {
    const response = await fetch(`${edge}/v1/jobs`, { method: 'POST', headers, body: JSON.stringify(body) })
    const answer: unknown = await response.json()
    if (response.status !== 202) throw new Error(`the edge answered ${response.status}: ${JSON.stringify(answer)}`)
    return answer
  }
  const read = async (url: string): Promise<unknown> => {
    const response = await fetch(url, { headers })
    if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
    return response.json()
  }
  const status = async ({ statusUrl }: Pick<Accepted, 'statusUrl'>): Promise<JobStatus> =>
    jobStatus.parse(await read(statusUrl))

  return {
    /** Posts one job. */
    post: async (job: PostedJob): Promise<Accepted> => accepted.parse(await send(job)),
    /** Posts a batch. */
    postAll: async (jobs: readonly PostedJob[]): Promise<Accepted[]> =>
      z.object({ jobs: z.array(accepted) }).parse(await send({ jobs })).jobs,
    status,
    /** Waits until a job has ended, and returns how. */
    waitForEnd: (job: Accepted, timeoutMs?: number): Promise<JobStatus> =>
      until(
        `job ${job.id} (${job.name}) to end`,
        async () => {
          const now = await status(job)
          return (now.state === 'completed' || now.state === 'failed') && now
        },
        { everyMs: 50, ...(timeoutMs !== undefined && { timeoutMs }) },
      ),
    /** The session as the edge shows it; undefined when there is none. */
    async session(sessionId: string) {
      const response = await fetch(`${edge}/v1/sessions/${sessionId}`, { headers })
      return response.status === 404 ? undefined : sessionView.parse(await response.json())
    },
    /** Waits until a session is in a state. */
    waitForSession(sessionId: string, state: SessionState) {
      return until(
        `session ${sessionId} to be ${state}`,
        async () => {
          const view = await this.session(sessionId)
          return view?.state === state && view
        },
        { everyMs: 50 },
      )
    },
  }
}
