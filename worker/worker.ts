import type { Logger } from 'pino'
import { staysAble } from './health/able.ts'
import { startHealthServer } from './health/server.ts'
import { createReadiness } from './health/readiness.ts'
import { showTroubles } from './health/trouble.ts'
import { createOwner, type Owner } from './ownership/owner.ts'
import { agreeOnPartitions } from './ownership/partitions.ts'
import { TIMING } from './ownership/timing.ts'
import { createParts, type Parts } from './parts.ts'
import { openPartition } from './partition.ts'
import { checkServer } from './redis/server-check.ts'
import type { Settings } from './settings.ts'
import { createSupervisor, type Supervisor } from './supervisor.ts'

/**
 * Runs a worker until the signal aborts: it owns its share of the partitions and serves health. Resolves when
 * everything is handed over and closed. Rejects when it cannot start, or could not work for too long.
 */
export async function runWorker(
  settings: Settings,
  workerId: string,
  log: Logger,
  signal: AbortSignal,
  onStarted: () => void,
): Promise<void> {
  const parts = await createParts(settings, log)
  const { connections } = parts
  const supervisor = createSupervisor(log)
  let beating = () => false
  const unanswered = () => [...connections.broken(), ...(beating() ? [] : ['beat'])]
  showTroubles(parts.registry, { redis: unanswered, loops: () => supervisor.failing() })
  const trouble = () => {
    const broken = unanswered()
    return broken.length === 0 ? undefined : `no answer from redis: ${broken.join(', ')}`
  }
  const running = run(parts, { workerId, supervisor }, signal, owner => {
    beating = () => owner.connected()
    onStarted()
  })
  await Promise.race([running, staysAble({ log, trouble }, signal).then(async () => running)])
}

async function run(
  parts: Parts,
  { workerId, supervisor }: { workerId: string; supervisor: Supervisor },
  signal: AbortSignal,
  onOwner: (owner: Owner) => void,
) {
  const { settings, connections } = parts
  const { redis, clock, log } = parts.core
  await checkServer(redis, settings.redisUrl, log)
  await agreeOnPartitions(redis, settings.partitions, log)

  // A session that starts now may be a new device, which an old version cannot link.
  await parts.webVersion.start()
  const owner = createOwner({
    log,
    clock,
    workerId,
    partitions: settings.partitions,
    timing: TIMING,
    generation: parts.generation,
    onSilence: () => connections.suspect(),
    redis: connections.open('beats', 'fail'),
    subscriber: connections.open('releases', 'wait'),
    start: async fence => openPartition(parts, supervisor, fence),
  })
  onOwner(owner)
  const readiness = createReadiness({
    connections,
    beating: () => owner.connected(),
    failing: () => supervisor.failing(),
    partitions: () => owner.owned().map(fence => fence.partition),
    endpoint: () => parts.gate.state(),
  })
  const health = await startHealthServer({
    port: settings.port,
    ...(settings.healthHost !== undefined && { host: settings.healthHost }),
    log,
    registry: parts.registry,
    readiness,
  })
  log.info({ port: health.port, partitions: settings.partitions }, 'worker started')
  await supervisor.supervise(owner, signal)
  await health.close()
  parts.closeMedia()
  log.info('worker stopped')
}
