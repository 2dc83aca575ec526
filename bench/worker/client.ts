import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Queue } from 'bullmq'
import type { SimulatorClient } from '../../dev/simulator/client.ts'
import { until } from '../../dev/stack/until.ts'
import type { World } from '../../e2e/faults/world.ts'
import { JOB_OPTIONS } from '../../shared/contract.ts'
import { QUEUE } from '../../shared/partition.ts'
import { cpuMs } from './usage.ts'

/** Texts that every session of a client sends to each of `to`. */
export interface Load {
  to: readonly string[]
  count: number
}

/** How a load went, judged by what arrived. */
export interface Sent {
  /** Texts a second, from the first arrival to the last. */
  rate: number
  /** CPU time of the client a text, in ms. */
  cpu: number
}

/** Something with linked sessions that sends: our worker, or bare Baileys. */
export interface Client {
  name: string
  pid: number
  /** Account numbers of its sessions. */
  phones: readonly string[]
  send(load: Load): Promise<Sent>
  close(): Promise<unknown>
}

const BARE = fileURLToPath(new URL('bare.ts', import.meta.url))

/** Bare Baileys in a process of its own, its sessions linked with the world's simulator. */
export async function startBare(world: World, sessions: number): Promise<Client> {
  const { simulator, stack } = world
  const { waUrl, rootKeyHex, url: controlUrl = '' } = stack.simulator ?? {}
  const settings = JSON.stringify({ waUrl, rootKeyHex, controlUrl, sessions })
  // It ends when its stdin does, so it cannot outlive the bench.
  const child = spawn(process.execPath, [BARE, settings], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [ready] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const { jids } = JSON.parse(ready) as { jids: string[] }
  const pid = child.pid ?? 0
  return {
    name: 'bare Baileys',
    pid,
    phones: jids.map(jid => jid.replace(/\D.*$/, '')),
    send: load =>
      measured(simulator, pid, jids.length * load.to.length * load.count, async () => {
        child.stdin.write(`${JSON.stringify(load)}\n`)
      }),
    async close() {
      child.stdin.end()
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

/** Our worker, given its jobs by BullMQ itself. */
export function ourClient(world: World, sessions: readonly { sessionId: string; phone: string }[]): Client {
  const { stack, simulator, redis } = world
  const connection = redis.duplicate()
  const queue = new Queue(QUEUE, { connection })
  const [worker] = stack.workers
  if (worker === undefined) throw new Error('the world has no worker')
  return {
    name: 'worker',
    pid: worker.workPid,
    phones: sessions.map(({ phone }) => phone),
    send: ({ to, count }) =>
      measured(simulator, worker.workPid, sessions.length * to.length * count, async () => {
        const jobs = Array.from({ length: count }, (_, n) =>
          to.flatMap(jid => sessions.map(({ sessionId }) => ({ sessionId, to: jid, text: `text ${n}` }))),
        ).flat()
        await queue.addBulk(jobs.map(data => ({ name: 'SEND_TEXT', data, opts: JOB_OPTIONS })))
      }),
    async close() {
      await queue.close()
      connection.disconnect()
    },
  }
}

async function measured(
  simulator: SimulatorClient,
  pid: number,
  count: number,
  start: () => Promise<void>,
): Promise<Sent> {
  await simulator.call('POST', '/reset', {})
  const before = cpuMs(pid)
  await start()
  const received = await until(
    'the texts to arrive',
    async () => {
      const found = await simulator.received({ limit: count, count, wait: 5000 })
      return found.length >= count && found
    },
    { timeoutMs: 180_000 },
  )
  const [first, last] = [received[0]?.mono ?? 0, received.at(-1)?.mono ?? 0]
  return { rate: ((count - 1) / (last - first)) * 1000, cpu: (cpuMs(pid) - before) / count }
}
