import { queueOf } from '../shared/partition.ts'
import { laneBacklog } from './jobs/lane/backlog.ts'
import { createPacing } from './jobs/lane/pacing.ts'
import { createDeliverer } from './outbox/deliverer.ts'
import { createOperate } from './outbox/operations.ts'
import { outcomeOf } from './outbox/outcomes.ts'
import type { OwnedPartition } from './ownership/holding.ts'
import type { Parts } from './parts.ts'
import { createForgetJobs } from './jobs/bullmq/forget.ts'
import { layoutOf } from './jobs/bullmq/layout.ts'
import { openJobs } from './jobs/open.ts'
import { createRetention } from './jobs/bullmq/retention.ts'
import { clientNameOf } from './jobs/bullmq/worker-name.ts'
import { createSessions } from './sessions/sessions.ts'
import type { Supervisor } from './supervisor.ts'
import type { Fence } from './ownership/fence.ts'

/** What may still run when a partition is handed over, in ms: the next owner waits for it. */
const GRACE_MS = 700

/** Starts everything that runs behind one fence: its sessions, its jobs and the delivery of its events. */
export async function openPartition(parts: Parts, supervisor: Supervisor, fence: Fence): Promise<OwnedPartition> {
  const { outbox, metrics, settings } = parts
  const core = { ...parts.core, log: parts.core.log.child({ partition: fence.partition, epoch: fence.epoch }) }
  const deliverer = createDeliverer({
    ...core,
    fence,
    outbox,
    attempt: parts.attempt,
    gate: parts.gate,
    window: parts.window,
    budget: parts.budget,
    retention: settings.retention,
    onAttempt: (outcome, seconds) => metrics.attemptEnded(outcome, seconds),
    onParked: () => metrics.eventParked(),
  })
  const outcomes = settings.jobEvents
    ? { of: outcomeOf, stored: (sessionId: string, seq: number) => deliverer.ring(sessionId, seq) }
    : undefined
  const sessions = createSessions({
    ...parts,
    core,
    fence,
    forgetJobs: createForgetJobs({ core, fence, partitions: settings.partitions, outcomes }),
    onDisconnect({ statusCode, reason }) {
      metrics.reconnecting(statusCode)
      if (reason === 'client_outdated') void parts.webVersion.refresh('refused')
    },
  })
  await sessions.restore()

  const layout = layoutOf(queueOf(fence.partition))
  const stopping = new AbortController()
  const jobs = openJobs({
    core,
    fence,
    partitions: settings.partitions,
    sessions,
    taking: parts.connections.open(`taking-${fence.partition}`, 'fail'),
    blocking: parts.connections.open(`blocking-${fence.partition}`, 'block', clientNameOf(layout.queue, fence)),
    pause: createPacing(settings.pace, core.clock),
    operate: createOperate(deliverer),
    outcomes,
    onAside: reason => metrics.jobSetAside(reason),
    watch: {
      ended: ({ job }, ending, seconds) =>
        metrics.jobEnded(job.name, seconds, ending.state === 'failed' ? ending.code : undefined),
    },
  })
  const unwatch = metrics.watch({
    partition: fence.partition,
    epoch: fence.epoch,
    sessions: () => sessions.states(),
    lanes: async () => laneBacklog(core.redis, layout, fence.partition, jobs.lanes),
    outbox: async () => deliverer.backlog(),
  })
  const taking = supervisor.supervise({ name: jobs.consumer.name, run: async () => jobs.run() }, fence.signal)
  const retention = createRetention({ core, fence, layout, keptMs: settings.finishedJobsMs })
  const sweeping = supervisor.supervise(retention, AbortSignal.any([stopping.signal, fence.signal]))
  const delivering = supervisor.supervise(deliverer, AbortSignal.any([stopping.signal, fence.signal]))

  return {
    settled: () => sessions.settled(),
    async close(parting) {
      unwatch()
      if (parting === 'lost') await jobs.abandon()
      else await jobs.drain(GRACE_MS)
      // Delivering ends last: closing the sessions appends the last events of this owner.
      stopping.abort()
      await Promise.all([taking, delivering, sweeping])
    },
  }
}
