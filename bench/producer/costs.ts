import type { Redis } from 'ioredis'
import type { Servers } from './servers.ts'
import type { Row } from './table.ts'

/** REST requests and Redis commands of one call that adds so many jobs, counted and not timed. */
export async function countCosts(
  what: string,
  jobs: number,
  call: () => Promise<unknown>,
  { servers, redis }: { servers: Servers; redis: Redis },
): Promise<Row[]> {
  const [before, innerBefore] = [await servers.counts(), await commandsRun(redis)]
  await call()
  const [after, innerAfter] = [await servers.counts(), await commandsRun(redis)]
  const requests = after.requests - before.requests
  const commands = after.commands - before.commands
  // Less the INFO that asked. The embedded Redis counts nothing.
  const inner = innerAfter - innerBefore - 1
  return [
    {
      what: `${what}: REST requests, top-level commands`,
      value: `${requests}, ${commands}`,
      target: '1, 1',
      ok: requests === 1 && commands === 1,
    },
    { what: `${what}: commands a job, those of scripts too`, value: inner > 0 ? (inner / jobs).toFixed(1) : 'unknown' },
  ]
}

async function commandsRun(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  return [...stats.matchAll(/:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}
