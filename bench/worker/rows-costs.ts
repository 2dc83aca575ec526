import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../dev/stack/until.ts'
import { quantile } from '../../e2e/faults/figures.ts'
import type { LinkedSession, startWorld, World } from '../../e2e/faults/world.ts'
import type { Row } from '../producer/table.ts'
import { ourClient, startBare } from './client.ts'
import { countCommands } from './commands.ts'
import { residentMb } from './usage.ts'

const SESSIONS = 50
const POSTS = 200
const IDLE_SECONDS = 60
const MOST_IDLE = 40
const MOST_MEMORY = 1.2
const EVENTS = 40

/** (c) latency, (d) memory, (e) Redis commands, (f) webhook deliveries, in one world. */
export async function benchCosts(start: typeof startWorld): Promise<Row[]> {
  const world = await start({})
  try {
    const [worker] = world.stack.workers
    if (worker === undefined) throw new Error('the world has no worker')
    const rows: Row[] = await idleCommands(world)
    const before = residentMb(worker.workPid)
    const sessions = await world.link(SESSIONS)
    rows.push(...(await memory(world, sessions, worker.workPid, before)))
    rows.push(...(await latency(world, sessions)))
    rows.push(...(await messageCommands(world, sessions)))
    rows.push(...(await deliveries(world, sessions)))
    return rows
  } finally {
    await world.close()
  }
}

async function idleCommands(world: World): Promise<Row[]> {
  const commands = await countCommands(world.stack.redis.url)
  await sleep(2000)
  commands.take()
  await sleep(IDLE_SECONDS * 1000)
  const { topLevel, inScripts } = commands.take()
  commands.close()
  return [
    {
      what: 'Redis commands of an idle minute',
      value: `${topLevel} top level, ${inScripts} in scripts`,
      target: `${MOST_IDLE} top level at most`,
      ok: topLevel <= MOST_IDLE,
    },
  ]
}

/** Growth of the process for each session that is linked, then for each that has sent 20 texts. */
async function memory(world: World, sessions: readonly LinkedSession[], pid: number, before: number): Promise<Row[]> {
  const bareBefore = await startBare(world, 0)
  await sleep(3000)
  const empty = residentMb(bareBefore.pid)
  await bareBefore.close()
  const bare = await startBare(world, SESSIONS)
  const ours = ourClient(world, sessions)
  await sleep(5000)
  const idle = [residentMb(pid) - before, residentMb(bare.pid) - empty] as const
  const load = { to: ['628990000001@s.whatsapp.net'], count: 20 }
  await ours.send(load)
  await bare.send(load)
  await sleep(3000)
  const active = [residentMb(pid) - before, residentMb(bare.pid) - empty] as const
  await Promise.all([ours.close(), bare.close()])
  return [memoryRow('linked and idle', idle), memoryRow('active', active)]
}

function memoryRow(what: string, [ours, bare]: readonly [number, number]): Row {
  const ratio = ours / bare
  return {
    what: `resident memory a session, ${what}`,
    value: `${(ours / SESSIONS).toFixed(2)} MB, bare ${(bare / SESSIONS).toFixed(2)} MB, ratio ${ratio.toFixed(2)}`,
    target: `${MOST_MEMORY} at most`,
    ok: ratio <= MOST_MEMORY,
  }
}

/** From the start of the POST to the frame at the simulator. */
async function latency(world: World, [session]: readonly LinkedSession[]): Promise<Row[]> {
  const { edge, apiKey } = world.stack
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
  const posted = new Map<string, number>()
  for (let n = 0; n < POSTS; n++) {
    const text = `latency ${n}`
    const data = { sessionId: session?.sessionId, to: session?.contact, text }
    posted.set(text, Date.now())
    await fetch(`${edge}/v1/jobs`, { method: 'POST', headers, body: JSON.stringify({ name: 'SEND_TEXT', data }) })
    await sleep(20)
  }
  const times = await until('the texts', async () => {
    const received = await world.received()
    const found = received.flatMap(({ text = '', at }) => (posted.has(text) ? [at - (posted.get(text) ?? 0)] : []))
    return found.length >= POSTS && found
  })
  return [{ what: 'POST to frame', value: `p50 ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms` }]
}

async function messageCommands(world: World, sessions: readonly LinkedSession[]): Promise<Row[]> {
  const count = 20
  const ours = ourClient(world, sessions)
  const commands = await countCommands(world.stack.redis.url)
  await ours.send({ to: ['628990000001@s.whatsapp.net'], count })
  await sleep(1000)
  const backlog = commands.take()
  for (let n = 0; n < count; n++) {
    await ours.send({ to: ['628990000002@s.whatsapp.net'], count: 1 })
  }
  await sleep(1000)
  const trickle = commands.take()
  commands.close()
  await ours.close()
  const messages = count * sessions.length
  const row = (what: string, { topLevel, inScripts }: typeof backlog): Row => ({
    what: `Redis commands a message, ${what}`,
    value: `${(topLevel / messages).toFixed(1)} top level, ${(inScripts / messages).toFixed(1)} in scripts`,
  })
  return [row('backlog (adding included)', backlog), row('one a session at a time', trickle)]
}

/** Fills the outboxes while the receiver is down, and times how they drain. */
async function deliveries(world: World, sessions: readonly LinkedSession[]): Promise<Row[]> {
  const { inbox } = world.stack
  if (inbox === undefined) return []
  inbox.answerWith({ status: 503 })
  for (let n = 0; n < EVENTS; n++) {
    await Promise.all(sessions.map(({ phone, contact }) => world.simulator.sendText(contact, phone, `event ${n}`)))
  }
  await sleep(3000)
  const from = inbox.arrivals({ all: true }).at(-1)?.n ?? 0
  inbox.answerNormally()
  const expected = EVENTS * sessions.length
  const arrivals = await until(
    'the events to be delivered',
    () => {
      const found = inbox.arrivals({ since: from }).filter(({ event }) => event?.event === 'messages.upsert')
      return found.length >= expected && found
    },
    { timeoutMs: 180_000, everyMs: 100 },
  )
  // The first ones come after a pause that the receiver's refusals earned.
  const tail = arrivals.slice(Math.floor(expected / 10))
  const ms = (tail.at(-1)?.at ?? 0) - (tail[0]?.at ?? 0)
  return [
    { what: `webhook deliveries, ${sessions.length} sessions`, value: `${Math.round((tail.length / ms) * 1000)}/s` },
  ]
}
