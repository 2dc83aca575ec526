import { join } from 'node:path'
import type { Inbox } from '../inbox/inbox.ts'
import { startInbox } from '../inbox/start.ts'
import { startRedis, type RunningRedis } from '../redis/start.ts'
import { startRestGateway } from '../rest/gateway.ts'
import type { StackOptions } from './options.ts'
import type { Scope } from './scope.ts'
import { startSimulatorProcess, type RunningSimulator } from './simulator.ts'

/** What workers need around them. */
export interface Backends {
  redis: RunningRedis
  simulator: RunningSimulator | undefined
  inbox: Inbox | undefined
}

/** Where the REST gateway is to be, and what it asks for. */
export interface RestPlan {
  port: number
  token: string
}

/** Starts what is not given: Redis with its REST gateway, the simulator, the inbox; all at once. */
export async function startBackends(
  options: StackOptions,
  scope: Scope,
  { rest, webhookSecrets }: { rest: RestPlan; webhookSecrets: readonly string[] },
): Promise<Backends> {
  const { given = {}, ports = {}, live = false, onArrival } = options
  const simulated = !live && given.waWebsocketUrl === undefined
  const [redis, simulator, inbox] = await Promise.all([
    startRedisAndRest(options, scope, rest),
    simulated ? startSimulator(options, scope) : undefined,
    given.webhookUrl === undefined
      ? scope.start(() =>
          startInbox({ secrets: webhookSecrets, port: ports.inbox ?? 0, ...(onArrival && { onArrival }) }),
        )
      : undefined,
  ])
  return { redis, simulator, inbox }
}

async function startRedisAndRest(
  options: StackOptions,
  scope: Scope,
  { port, token }: RestPlan,
): Promise<RunningRedis> {
  const { dir, given = {}, ports = {}, path, persist = false, onLine } = options
  const redis = await scope.start(() =>
    startRedis({
      ...(given.redisUrl !== undefined && { url: given.redisUrl }),
      ...(ports.redis !== undefined && { port: ports.redis }),
      ...(path !== undefined && { path }),
      dir: join(dir, 'redis'),
      appendonly: persist,
      onLine: line => onLine?.('redis', line),
    }),
  )
  if (given.rest === undefined) await scope.start(() => startRestGateway({ redisUrl: redis.url, token, port }))
  return redis
}

function startSimulator(options: StackOptions, scope: Scope): Promise<RunningSimulator> {
  const { dir, ports = {}, persist = false, onLine } = options
  return scope.start(signal =>
    startSimulatorProcess({
      dir,
      port: ports.simulator ?? 0,
      // Redis remembers sessions that this run of the simulator has never seen.
      adopt: persist,
      signal,
      onLine: line => onLine?.('simulator', line),
    }),
  )
}
