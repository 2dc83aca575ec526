import type { Fence } from '../../ownership/fence.ts'

/** Under which name BullMQ's tools know the owner of a partition: its worker id. */
export function workerNameOf({ token }: Fence): string {
  return token.slice(0, token.lastIndexOf(':'))
}

/**
 * The name of a connection by which BullMQ's `getWorkers()` finds who works on a queue: what `RedisQueueBackend.clientName`
 * of BullMQ makes for a Worker that has a name.
 */
export function clientNameOf(queue: string, fence: Fence): string {
  return `bull:${Buffer.from(queue).toString('base64')}:w:${workerNameOf(fence)}`
}
