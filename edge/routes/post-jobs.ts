import { ownIdOf } from '../../shared/job-id.ts'
import { readJson, type JsonBody } from '../http/body.ts'
import { sha256 } from '../http/digest.ts'
import { Problem } from '../http/problem.ts'
import type { Route } from '../http/route.ts'
import type { RouteContext } from '../http/context.ts'
import type { Added, AddedId, Idempotency, NewJob } from '../producer/producer.ts'
import { readPost } from '../producer/request.ts'

/** `POST /v1/jobs`: takes one job or a batch, and answers 202 once Redis has all of them. */
export const postJobs: Route = {
  method: 'POST',
  path: '/v1/jobs',
  access: 'key',
  async handle(context, { producer, partitions }) {
    const key = readIdempotencyKey(context.req.header('idempotency-key'))
    const body = await readJson(context.req.raw)
    const post = readPost(body.json)
    if (!post.ok) throw new Problem('INVALID_REQUEST', { errors: post.errors })
    const added = await producer.add(post.jobs, await toIdempotency(context, key, body))
    const ids = idsOf(added, partitions)
    const { origin } = new URL(context.req.url)
    const jobs = post.jobs.map((job, index) => toAnswer(job, ids[index], origin))
    const [first] = jobs
    const headers = {
      ...(added.outcome === 'replayed' && { 'idempotency-replayed': 'true' }),
      ...(!post.batch && first !== undefined && { location: first.statusUrl }),
    }
    return Response.json(post.batch ? { jobs } : first, { status: 202, headers })
  },
}

/** Throws the problem of a post that stored nothing. */
export function idsOf(added: Added, partitions: number): AddedId[] {
  if (added.outcome === 'key_reused') throw new Problem('IDEMPOTENCY_KEY_REUSED')
  if (added.outcome === 'id_reused') {
    const detail = `jobs[${added.index}]: another job was posted under this jobId; nothing of this post is stored`
    throw new Problem('JOB_ID_REUSED', { detail })
  }
  if (added.outcome === 'partitions_differ') {
    const detail = `PARTITIONS is ${partitions} here but ${added.recorded} in Redis: nobody would read these jobs`
    throw new Problem('MISCONFIGURED', { detail })
  }
  return added.ids
}

/** What a post is answered of each job. */
export function toAnswer({ name, sessionId }: NewJob, added: AddedId | undefined, origin: string) {
  const id = ownIdOf(sessionId, added?.id ?? '')
  const statusUrl = `${origin}/v1/sessions/${sessionId}/jobs/${id}`
  return { id, name, sessionId, statusUrl, ...(added?.repeated === true && { repeated: true }) }
}

function readIdempotencyKey(text: string | undefined): string | undefined {
  if (text === undefined || /^[\x20-\x7e]{1,255}$/.test(text)) return text
  throw new Problem('IDEMPOTENCY_KEY_INVALID', { detail: 'must be 1 to 255 printable ASCII characters' })
}

/** Keys of different API keys never meet: the digest is of both. */
async function toIdempotency(
  context: RouteContext,
  key: string | undefined,
  { bytes }: JsonBody,
): Promise<Idempotency | undefined> {
  if (key === undefined) return undefined
  return { key: await sha256(`${context.get('apiKeyDigest')} ${key}`), payload: await sha256(bytes) }
}
