import { connect } from 'node:net'
import { Redis } from 'ioredis'
import { zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface PostsSize {
  posts: number
  inFlight: number
}

/** Posts on connections that are reset half-way, at random bytes, in both directions; no worker runs. */
export async function resetPosts({ posts, inFlight }: PostsSize): Promise<Outcome> {
  const world = await startWorld({ workers: 0 })
  try {
    const {
      edge,
      apiKey,
      redis: { url },
    } = world.stack
    const accepted: string[] = []
    let next = 0
    let cut = 0
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        for (let n = next++; n < posts; n = next++) {
          const answer = await postOnce(edge, apiKey, n, Math.random())
          if (answer === undefined) cut++
          else accepted.push(answer)
        }
      }),
    )
    const redis = new Redis(url)
    const stored = await redis.lrange('bull:whatsapp-jobs:wait', 0, -1)
    const texts = await Promise.all(stored.map(async id => redis.hget(`bull:whatsapp-jobs:${id}`, 'data')))
    redis.disconnect()
    const lost = accepted.filter(id => !stored.includes(id))
    const repeated = texts.length - new Set(texts).size
    return {
      fault: 'posts on connections that are reset half-way',
      done: `${posts} posts, ${cut} cut, ${accepted.length} answered 202, ${stored.length} stored`,
      figures: [zero('202 that is not in Redis', lost.length), zero('jobs stored twice', repeated)],
      evidence: lost.slice(0, 5),
    }
  } finally {
    await world.close()
  }
}

/** One post. Half of them are cut at a random point; resolves with the job's id if a whole 202 came back. */
async function postOnce(edge: string, apiKey: string, n: number, fate: number): Promise<string | undefined> {
  const { hostname, port } = new URL(edge)
  const body = JSON.stringify({ name: 'SEND_TEXT', data: { sessionId: 'cut', to: '628990000001', text: `post ${n}` } })
  const request = [
    'POST /v1/jobs HTTP/1.1',
    `host: ${hostname}:${port}`,
    `authorization: Bearer ${apiKey}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n')
  return new Promise(resolve => {
    const socket = connect(Number(port), hostname)
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (answer += text))
    socket.on('error', () => resolve(undefined))
    socket.on('close', () =>
      resolve(answer.startsWith('HTTP/1.1 202') ? /"id":"([^"]+)"/.exec(answer)?.[1] : undefined),
    )
    // A quarter is cut while it is written, a quarter between writing and answer.
    if (fate < 0.25)
      socket.write(request.slice(0, Math.floor(request.length * fate * 4)), () => socket.resetAndDestroy())
    else if (fate < 0.5) socket.write(request, () => setTimeout(() => socket.resetAndDestroy(), (fate - 0.25) * 40))
    else socket.write(request)
  })
}
