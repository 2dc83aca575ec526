import { SESSION_ID } from '../../shared/jid.ts'
import { checkOperation, type OperationName } from '../../shared/operations.ts'
import { readJson } from '../http/body.ts'
import { Problem } from '../http/problem.ts'
import type { Route } from '../http/route.ts'
import { idsOf, toAnswer } from './post-jobs.ts'

/** Largest body of an operation, in bytes. */
const MAX_BODY_BYTES = 4096

/** `POST .../events/replay {"fromSeq": 7}`: sends the session's events from that seq on again. */
export const postReplay = operationRoute('replay', 'REPLAY_EVENTS')

/** `POST .../events/redrive {"seq": 7}`: sends a parked event again. */
export const postRedrive = operationRoute('redrive', 'REDRIVE_EVENT')

/** It answers 202 once Redis has it, like a job: the owner of the session does it, and its status tells the outcome. */
function operationRoute(verb: string, name: OperationName): Route {
  return {
    method: 'POST',
    path: `/v1/sessions/:sessionId/events/${verb}`,
    access: 'key',
    async handle(context, { producer, partitions }) {
      const sessionId = context.req.param('sessionId') ?? ''
      if (!SESSION_ID.test(sessionId)) throw new Problem('SESSION_NOT_FOUND')
      const { json } = await readJson(context.req.raw, MAX_BODY_BYTES)
      // The session is the one in the path, whatever the body says.
      const check = checkOperation(name, typeof json === 'object' ? { ...json, sessionId } : json)
      if (!check.ok) throw new Problem('INVALID_REQUEST', { errors: check.errors })
      const operation = { name, sessionId, data: check.operation.data }
      const [id] = idsOf(await producer.add([operation]), partitions)
      const answer = toAnswer(operation, id, new URL(context.req.url).origin)
      return Response.json(answer, { status: 202, headers: { location: answer.statusUrl } })
    },
  }
}
