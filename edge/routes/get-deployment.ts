import { version } from '../../package.json'
import { keys } from '../../shared/keys.ts'
import type { Route } from '../http/route.ts'
import { prepareScript, type RedisClient, type Script } from '../redis/client.ts'
import { toRecord } from '../redis/hash.ts'

// KEYS workers endpoint lease*. Redis' own clock, by which the workers' listings end.
const LOOK = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local workers = redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf', 'LIMIT', 0, 1000)
return {workers, redis.call('HGETALL', KEYS[2]), redis.call('MGET', unpack(KEYS, 3))}
`
let script: Promise<Script> | undefined

/** What is deployed: the edge's version, the live workers, who owns each partition, and how the webhook endpoint is. */
interface Deployment {
  version: string
  /** Their ids. A worker that dies is gone from here 4.5 s later at most. */
  workers: string[]
  /** For each partition, the id of the worker that owns it; null: its jobs wait for a worker. */
  partitions: { partition: number; worker: string | null }[]
  /** Absent before there was one. `since` is Unix ms. */
  webhook?: { state: string; since: number }
}

/** `GET /v1`: what is deployed. One command, so it is true for one moment. */
export const getDeployment: Route = {
  method: 'GET',
  path: '/v1',
  access: 'key',
  async handle(context, { redis, partitions }) {
    return context.json(await look(redis, partitions))
  },
}

async function look(redis: RedisClient, partitions: number): Promise<Deployment> {
  script ??= prepareScript(LOOK)
  const leases = Array.from({ length: partitions }, (_, partition) => keys.lease(partition))
  const reply = await redis.run(await script, [keys.workers, keys.endpoint, ...leases], [])
  const [workers, endpoint, tokens] = reply as [string[], string[], (string | null)[]]
  const { state, since } = toRecord(endpoint)
  return {
    version,
    workers: workers.toSorted(),
    partitions: tokens.map((token, partition) => ({ partition, worker: ownerOf(token) })),
    ...(state !== undefined && { webhook: { state, since: Number(since ?? 0) } }),
  }
}

/** A lease is `<workerId>:<epoch>`. */
function ownerOf(token: string | null): string | null {
  return token === null ? null : token.slice(0, token.lastIndexOf(':'))
}
