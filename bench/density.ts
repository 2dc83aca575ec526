import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../dev/stack/until.ts'
import type { WorkerProcess } from '../dev/stack/worker.ts'
import { quantile, recoveryTimes } from '../e2e/faults/figures.ts'
import { startWorld, type LinkedSession, type World } from '../e2e/faults/world.ts'
import { formatTable, type Row } from './producer/table.ts'
import { cpuMs, residentMb } from './worker/usage.ts'

/** How far WhatsApp is away, there and back, in ms. */
const AWAY_MS = 100
const SOME = 1000
const MANY = Number(process.env['DENSITY_SESSIONS'] ?? 5000)
const IDLE_SECONDS = 20
/** What Node gives its heap in a container of 2 GB. */
const IN_2_GB = ['--max-old-space-size=1024']

const TARGETS = {
  openSeconds: 15,
  nextSendMs: 12_000,
  mbASession: 0.3,
  mbInAll: 2048,
  redisKbASession: 100,
}

/**
 * `npm run bench -- density`: one worker with 1,000 sessions whose process dies, then with 5,000 that it restores at its
 * start. WhatsApp is 100 ms away. The worker, the simulator and the rest share the machine; on two cores it takes about a
 * quarter of an hour, most of it to link. DENSITY_SESSIONS changes the larger number. Resolves with whether all targets
 * were met.
 */
export async function benchDensity(signal: AbortSignal): Promise<boolean> {
  const world = await startWorld({ partitions: 8 })
  try {
    const empty = await redisMb(world)
    const few = await linked(world, Math.min(SOME, MANY), 0, signal)
    const kb = ((await redisMb(world)) - empty) * 1024
    const redisRow = {
      what: 'Redis memory a session, idle',
      value: `${(kb / few.length).toFixed(1)} KB`,
      target: `${TARGETS.redisKbASession} KB at most`,
      ok: kb / few.length <= TARGETS.redisKbASession,
    }
    await world.simulator.settings({ awayMs: AWAY_MS })
    const rows = [redisRow, ...(await afterCrash(world, few))]
    console.error(formatTable(rows))
    await world.simulator.settings({ awayMs: 0 })
    const more = await linked(world, MANY - few.length, few.length, signal)
    await world.simulator.settings({ awayMs: AWAY_MS })
    rows.push(...(await afterStart(world, few.length + more.length)))
    console.log(`\ndensity\n\n${formatTable(rows)}`)
    return rows.every(row => !('ok' in row) || row.ok)
  } finally {
    await world.close()
  }
}

async function linked(world: World, count: number, from: number, signal: AbortSignal): Promise<LinkedSession[]> {
  const sessions: LinkedSession[] = []
  while (sessions.length < count) {
    signal.throwIfAborted()
    sessions.push(...(await world.link(Math.min(250, count - sessions.length), from + sessions.length)))
    console.error(`${from + sessions.length} sessions are linked`)
  }
  return sessions
}

/** The process of the worker is killed while each session has a text to send. */
async function afterCrash(world: World, sessions: readonly LinkedSession[]): Promise<Row[]> {
  const worker = workerOf(world)
  const before = worker.workPid
  // A first text to a contact fetches keys, which is another thing.
  await world.postTexts(sessions, 1)
  await world.settled(120_000)
  const at = Date.now()
  const crashed = worker.crash()
  await world.postTexts(sessions, 1)
  await Promise.all([crashed, allOpen(worker, sessions.length)])
  const seconds = (Date.now() - at) / 1000
  await world.settled(120_000)
  const struck = sessions.map(({ sessionId }) => sessionId)
  // What was accepted counts from the strike.
  const accepted = world.accepted.map(text => ({ ...text, at: Math.min(text.at, at) }))
  const times = recoveryTimes([{ at, sessions: struck }], accepted, await world.received())
  const p99 = quantile(times, 0.99)
  return [
    {
      what: `${sessions.length} sessions open after the death of process ${before}`,
      value: `${seconds.toFixed(1)} s`,
      target: `${TARGETS.openSeconds} s at most`,
      ok: seconds <= TARGETS.openSeconds,
    },
    {
      what: 'next send of each, p50 and p99',
      value: `${quantile(times, 0.5)} and ${p99} ms`,
      target: `p99 ${TARGETS.nextSendMs} ms at most`,
      ok: p99 <= TARGETS.nextSendMs,
    },
  ]
}

async function afterStart(world: World, count: number): Promise<Row[]> {
  const stopping = performance.now()
  await workerOf(world).stop()
  const stopMs = performance.now() - stopping
  const worker = await world.stack.startWorker({}, IN_2_GB)
  const pid = worker.workPid
  const [at, cpu] = [performance.now(), cpuMs(pid)]
  await allOpen(worker, count)
  const [seconds, login] = [(performance.now() - at) / 1000, cpuMs(pid) - cpu]
  const peak = residentMb(pid)
  await sleep(IDLE_SECONDS * 1000)
  const idleFrom = cpuMs(pid)
  await sleep(IDLE_SECONDS * 1000)
  const idle = (cpuMs(pid) - idleFrom) / (IDLE_SECONDS * 10)
  const mb = residentMb(pid)
  return [
    { what: `SIGTERM with ${count} sessions`, value: `${(stopMs / 1000).toFixed(1)} s` },
    {
      what: `${count} sessions restored`,
      value: `${seconds.toFixed(1)} s, ${(count / seconds).toFixed(0)} logins/s, ${(login / count).toFixed(1)} ms CPU each`,
    },
    {
      what: 'resident memory of the worker',
      value: `${mb.toFixed(0)} MB (${peak.toFixed(0)} when all were open)`,
      target: `${TARGETS.mbInAll} MB at most`,
      ok: Math.max(mb, peak) <= TARGETS.mbInAll,
    },
    {
      what: 'a session of it',
      value: `${(mb / count).toFixed(3)} MB`,
      target: `${TARGETS.mbASession} MB at most`,
      ok: mb / count <= TARGETS.mbASession,
    },
    { what: 'CPU while idle', value: `${idle.toFixed(1)} % of a core` },
  ]
}

function workerOf({ stack }: World): WorkerProcess {
  const worker = stack.workers.at(-1)
  if (worker === undefined) throw new Error('the world has no worker')
  return worker
}

async function allOpen({ url }: WorkerProcess, count: number): Promise<void> {
  await until(
    `${count} sessions to be open`,
    async () => {
      const metrics = await fetch(`${url}/metrics`).then(
        async answer => answer.text(),
        () => '',
      )
      return Number(/^kurir_sessions\{state="open"\} (\d+)$/m.exec(metrics)?.[1]) >= count
    },
    { timeoutMs: 600_000, everyMs: 200 },
  )
}

async function redisMb({ redis }: World): Promise<number> {
  const info = await redis.info('memory')
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1]) / 1024 / 1024
}
