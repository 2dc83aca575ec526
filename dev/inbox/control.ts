import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { answerRule } from './answers.ts'
import type { Arrivals } from './arrivals.ts'
import { readBody } from './body.ts'
import type { Inbox } from './inbox.ts'
import { describe } from './line.ts'

const MAX_WAIT_MS = 60_000
const downtime = z.strictObject({ ms: z.number().int().min(1).max(600_000) })
const eventsQuery = z.object({
  session: z.string().optional(),
  since: z.coerce.number().int().nonnegative().default(0),
  /** Seconds to wait when there is nothing yet. */
  wait: z.coerce.number().nonnegative().default(0),
  all: z.stringbool().default(false),
})

/**
 * The inbox's side for people and tests. `GET /`: the last arrivals as text. `GET /events?session=&since=&wait=&all=`:
 * the same as JSON; with `wait` (seconds) it answers as soon as there is one. `POST /answers`: how the next deliveries
 * are answered; `DELETE /answers`: normally again. `POST /down {"ms": 3000}`: refuses connections for that time.
 */
export async function handleControl(
  inbox: Inbox,
  arrivals: Arrivals,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://inbox')
  switch (`${request.method ?? ''} ${url.pathname}`) {
    case 'GET /': {
      const lines = arrivals.list({ all: true }).slice(-200).reverse()
      const text = lines.map(arrival => `${new Date(arrival.at).toISOString()} ${describe(arrival)}`).join('\n')
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text || 'no webhook yet'}\n`)
      return
    }
    case 'GET /events': {
      const query = eventsQuery.safeParse(Object.fromEntries(url.searchParams))
      if (!query.success) return refuse(response, query.error)
      const { wait, session, ...rest } = query.data
      const filter = { ...rest, ...(session !== undefined && { session }) }
      if (wait > 0 && arrivals.list(filter).length === 0) {
        const found = () => arrivals.list(filter).length > 0
        await arrivals.wait('an event', found, Math.min(wait * 1000, MAX_WAIT_MS)).catch(() => {})
      }
      return json(response, 200, { events: arrivals.list(filter) })
    }
    case 'POST /answers': {
      const rule = answerRule.safeParse(await readJson(request))
      if (!rule.success) return refuse(response, rule.error)
      inbox.answerWith(rule.data)
      return json(response, 200, rule.data)
    }
    case 'DELETE /answers':
      inbox.answerNormally()
      return json(response, 200, {})
    case 'POST /down': {
      const down = downtime.safeParse(await readJson(request))
      if (!down.success) return refuse(response, down.error)
      response.once('finish', () => {
        void inbox
          .down()
          .then(() => sleep(down.data.ms))
          .then(() => inbox.up())
      })
      return json(response, 200, down.data)
    }
    default:
      return json(response, 404, { error: 'no such control' })
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  try {
    return JSON.parse((await readBody(request)).toString())
  } catch {
    return undefined
  }
}

function refuse(response: ServerResponse, error: z.core.$ZodError): void {
  json(response, 400, { error: z.prettifyError(error) })
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}
