import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startInbox } from '../inbox/start.ts'
import type { Inbox } from '../inbox/inbox.ts'
import { startRedis, type RunningRedis } from '../redis/start.ts'
import { startRestGateway } from '../rest/gateway.ts'
import { describeExit, type Child } from './child.ts'
import { startEdge } from './edge.ts'
import type { StackOptions } from './options.ts'
import { freePort } from './ports.ts'
import { Scope } from './scope.ts'
import { loadSecrets, type Secrets } from './secrets.ts'
import { startSimulatorProcess, type RunningSimulator } from './simulator.ts'
import { startWorker, type WorkerProcess } from './worker.ts'
import { workerEnv } from './worker-env.ts'

/** A child of the stack that ended although nobody asked it to. */
export interface Death {
  name: string
  /** How it ended, and its last lines. */
  reason: string
}

/** A whole Kurir on loopback. */
export interface Stack {
  readonly edge: string
  readonly apiKey: string
  readonly redis: RunningRedis
  readonly restUrl: string
  readonly secrets: Secrets
  /** Absent when sessions go to a given WhatsApp server, or to the real one. */
  readonly simulator: RunningSimulator | undefined
  /** Absent when webhooks go to a given URL. */
  readonly inbox: Inbox | undefined
  /** The workers that were started, dead ones included, oldest first. */
  readonly workers: readonly WorkerProcess[]
  /** Resolves when a child dies by itself. */
  readonly died: Promise<Death>
  /** One more worker; settings given here win. */
  startWorker(env?: Record<string, string>, nodeArgs?: readonly string[]): Promise<WorkerProcess>
  /** Ends all of it. */
  close(): Promise<void>
}

/** Starts everything at once, each part as soon as what it needs is there. Rejects, and ends all, when one fails. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const scope = new Scope()
  const interrupt = () => void scope.close(options.signal?.reason)
  options.signal?.addEventListener('abort', interrupt)
  try {
    options.signal?.throwIfAborted()
    return await assemble(options, scope)
  } catch (error) {
    await scope.close(error)
    throw error
  } finally {
    options.signal?.removeEventListener('abort', interrupt)
  }
}

async function assemble(options: StackOptions, scope: Scope): Promise<Stack> {
  const { dir, given = {}, ports = {}, partitions = 1, live = false } = options
  const died = Promise.withResolvers<Death>()
  const watch = async (child: Child) => {
    const how = describeExit(child.name, await child.exited)
    died.resolve({ name: child.name, reason: [how, ...child.lines().slice(-15)].join('\n') })
  }
  const onLine = (source: string) => (line: string) => options.onLine?.(source, line)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const secrets = await loadSecrets(dir, given.secrets)
  const restPort = ports.rest ?? (await freePort())
  const restUrl = given.rest?.url ?? `http://127.0.0.1:${restPort}`
  const restToken = given.rest?.token ?? secrets.restToken
  const edgePort = ports.edge ?? (await freePort())

  const redisAndRest = async () => {
    const redis = await scope.start(async () =>
      startRedis({
        ...(given.redisUrl !== undefined && { url: given.redisUrl }),
        ...(ports.redis !== undefined && { port: ports.redis }),
        dir: join(dir, 'redis'),
        appendonly: options.persist ?? false,
        onLine: onLine('redis'),
      }),
    )
    if (redis.child !== undefined) void watch(redis.child)
    if (given.rest === undefined) {
      await scope.start(() => startRestGateway({ redisUrl: redis.url, token: restToken, port: restPort }))
    }
    return redis
  }
  const simulated = !live && given.waWebsocketUrl === undefined
  const [redis, edge, simulator, inbox] = await Promise.all([
    redisAndRest(),
    scope.start(signal =>
      startEdge({
        dir: join(dir, 'edge'),
        port: edgePort,
        restUrl,
        restToken,
        apiKeys: secrets.apiKey,
        partitions,
        path: options.path ?? '',
        signal,
        onLine: onLine('edge'),
      }),
    ),
    simulated
      ? scope.start(signal =>
          startSimulatorProcess({
            dir,
            port: ports.simulator ?? 0,
            // Redis remembers sessions that this run of the simulator has never seen.
            adopt: options.persist ?? false,
            signal,
            onLine: onLine('simulator'),
          }),
        )
      : undefined,
    given.webhookUrl === undefined
      ? scope.start(() =>
          startInbox({
            secrets: secrets.webhookSecret.split(','),
            port: ports.inbox ?? 0,
            ...(options.onArrival && { onArrival: options.onArrival }),
          }),
        )
      : undefined,
  ])

  void watch(edge.child)
  if (simulator !== undefined) void watch(simulator.child)

  const workers: WorkerProcess[] = []
  let started = 0
  const base = workerEnv({ redis, secrets, partitions, simulator, inbox, options })
  const addWorker: Stack['startWorker'] = async (env = {}, nodeArgs = []) => {
    started += 1
    const name = started === 1 ? 'worker' : `worker-${started}`
    const port = started === 1 && ports.worker !== undefined ? { PORT: String(ports.worker) } : {}
    const worker = await scope.start(signal =>
      startWorker({ name, env: { ...base, ...port, ...env }, nodeArgs, signal, onLine: onLine(name) }),
    )
    workers.push(worker)
    void watch(worker.child)
    return worker
  }
  for (let i = 0; i < (options.workers ?? 1); i++) await addWorker()

  return {
    edge: edge.url,
    apiKey: secrets.apiKey.split(',')[0] ?? '',
    redis,
    restUrl,
    secrets: { ...secrets, restToken },
    simulator,
    inbox,
    workers,
    died: died.promise,
    startWorker: addWorker,
    close: () => scope.close(),
  }
}
