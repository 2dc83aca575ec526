import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Inbox } from '../inbox/inbox.ts'
import type { RunningRedis } from '../redis/start.ts'
import { startBackends } from './backends.ts'
import { describeExit, type Child } from './child.ts'
import { startEdge } from './edge.ts'
import type { StackOptions } from './options.ts'
import { freePort } from './ports.ts'
import { Scope } from './scope.ts'
import { loadSecrets, type Secrets } from './secrets.ts'
import type { RunningSimulator } from './simulator.ts'
import { startWorker, type WorkerProcess } from './worker.ts'
import { workerEnv } from './worker-env.ts'

/** Lines of output that tell why a child died. */
const LAST_LINES = 15

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
  const { dir, given = {}, ports = {}, partitions = 1, onLine } = options
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const secrets = await loadSecrets(dir, given.secrets)
  const rest = { port: ports.rest ?? (await freePort()), token: given.rest?.token ?? secrets.restToken }
  const restUrl = given.rest?.url ?? `http://127.0.0.1:${rest.port}`
  const edgePort = ports.edge ?? (await freePort())
  const { died, watch } = watchDeaths()

  const withEdge = async () => {
    const edge = await scope.start(signal =>
      startEdge({
        dir: join(dir, 'edge'),
        port: edgePort,
        restUrl,
        restToken: rest.token,
        apiKeys: secrets.apiKey,
        partitions,
        path: options.path ?? '',
        signal,
        onLine: line => onLine?.('edge', line),
      }),
    )
    watch(edge.child)
    return edge
  }
  const withWorkers = async () => {
    const webhookSecrets = secrets.webhookSecret.split(',')
    const backends = await startBackends(options, scope, { rest, webhookSecrets })
    watch(backends.redis.child)
    watch(backends.simulator?.child)
    const env = workerEnv({ ...backends, secrets, partitions, options })
    const workers: WorkerProcess[] = []
    const addWorker = createWorkers({ workers, env, scope, watch, options })
    for (let i = 0; i < (options.workers ?? 1); i++) await addWorker()
    return { ...backends, workers, addWorker }
  }
  const [edge, { addWorker, ...running }] = await Promise.all([withEdge(), withWorkers()])

  return {
    ...running,
    edge: edge.url,
    apiKey: secrets.apiKey.split(',')[0] ?? '',
    restUrl,
    secrets: { ...secrets, restToken: rest.token },
    died,
    startWorker: addWorker,
    close: () => scope.close(),
  }
}

/** Makes the function that starts one more worker. */
function createWorkers(deps: {
  workers: WorkerProcess[]
  env: Record<string, string>
  scope: Scope
  watch: (child: Child) => void
  options: StackOptions
}): Stack['startWorker'] {
  const { workers, scope, watch, options } = deps
  let started = 0
  return async (env = {}, nodeArgs = []) => {
    started += 1
    const name = started === 1 ? 'worker' : `worker-${started}`
    const port = started === 1 && options.ports?.worker !== undefined ? { PORT: String(options.ports.worker) } : {}
    const worker = await scope.start(signal =>
      startWorker({
        name,
        env: { ...deps.env, ...port, ...env },
        nodeArgs,
        signal,
        onLine: line => options.onLine?.(name, line),
      }),
    )
    workers.push(worker)
    watch(worker.child)
    return worker
  }
}

/** Tells of the first watched child that ends. */
function watchDeaths(): { died: Promise<Death>; watch: (child: Child | undefined) => void } {
  const { promise, resolve } = Promise.withResolvers<Death>()
  const wait = async (child: Child) => {
    const how = describeExit(child.name, await child.exited)
    resolve({ name: child.name, reason: [how, ...child.lines().slice(-LAST_LINES)].join('\n') })
  }
  return { died: promise, watch: child => void (child && wait(child)) }
}
