import edge from '../../edge/index.ts'

/** What `/bare` needs of the edge's settings. */
type Env = Readonly<Record<'UPSTASH_REDIS_REST_URL' | 'UPSTASH_REDIS_REST_TOKEN', string>>

/**
 * The edge as it is deployed, with two paths beside it to compare it with, in the same worker: `/bare` passes a ready
 * EVALSHA on to Redis and checks nothing; `/nothing` answers at once, which is what the runtime and its proxy cost.
 */
export default {
  async fetch(request: Request, env: Env, context: Parameters<typeof edge.fetch>[2]): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === '/nothing') return new Response(null, { status: 202 })
    if (pathname !== '/bare') return edge.fetch(request, env, context)
    const headers = { authorization: `Bearer ${env.UPSTASH_REDIS_REST_TOKEN}`, 'content-type': 'application/json' }
    const body = await request.text()
    const answer = await fetch(env.UPSTASH_REDIS_REST_URL, { method: 'POST', headers, body })
    const json = await answer.json<{ result?: unknown }>()
    return Response.json(json.result ?? null, { status: answer.ok ? 202 : 500 })
  },
}
