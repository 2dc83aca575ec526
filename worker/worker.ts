import type { Logger } from 'pino'
import { startHealthServer } from './health/server.ts'
import { createReadiness } from './health/readiness.ts'
import { createOwner } from './ownership/owner.ts'
import { agreeOnPartitions } from './ownership/partitions.ts'
import { TIMING } from './ownership/timing.ts'
import { createParts } from './parts.ts'
import { openPartition } from './partition.ts'
import { checkServer } from './redis/server-check.ts'
import type { Settings } from './settings.ts'
import { createSupervisor } from './supervisor.ts'

/**
 * Runs a worker until the signal aborts: it owns its share of the partitions and serves health. Resolves when
 * everything is handed over and closed. Rejects when it cannot start.
 */
export async function runWorker(settings: Settings, workerId: string, log: Logger, signal: AbortSignal): Promise<void> {
  const parts = await createParts(settings, log)
  const { redis, clock } = parts.core
  await checkServer(redis, settings.redisUrl, log)
  await agreeOnPartitions(redis, settings.partitions)

  const supervisor = createSupervisor(log)
  const owner = createOwner({
    log,
    clock,
    workerId,
    partitions: settings.partitions,
    timing: TIMING,
    redis: parts.connect('fail'),
    subscriber: parts.connect('wait'),
    start: async fence => openPartition(parts, supervisor, fence),
  })
  const readiness = createReadiness({
    redis,
    partitions: () => owner.owned().map(fence => fence.partition),
    endpoint: () => parts.gate.state(),
  })
  const health = await startHealthServer({ port: settings.port, log, registry: parts.registry, readiness })
  log.info({ port: health.port, partitions: settings.partitions }, 'worker started')
  await supervisor.supervise(owner, signal)
  await health.close()
  log.info('worker stopped')
}
