import { startWorld, type World } from '../../e2e/faults/world.ts'
import { median } from '../producer/measure.ts'
import type { Row } from '../producer/table.ts'
import { ourClient, startBare, type Client, type Load, type Sent } from './client.ts'

/** How much of it. */
export interface SendsSize {
  sessions: number
  /** Texts a session and turn. */
  texts: number
  turns: number
}

const LEAST_RATE = 0.9

/** A kind of send, and how many times less CPU than bare Baileys it must take; undefined where there is no target. */
interface Kind {
  name: string
  load(client: Client, turn: number): Promise<Load>
  times?: number
  rated?: boolean
}

/**
 * (a): texts/s and CPU a text of our worker beside bare Baileys with keys in memory, in turns. Bare Baileys goes on as
 * soon as bytes are written and never leaves its loop: it reads its acks and receipts when it has sent everything, which
 * is not counted. Ours reads them meanwhile, since a job ends with its ack.
 */
export async function benchSends({ sessions, texts, turns }: SendsSize): Promise<Row[]> {
  const world = await startWorld({})
  const bare = await startBare(world, sessions)
  const ours = ourClient(world, await world.link(sessions))
  try {
    const kinds: Kind[] = [
      { name: '1:1 texts', rated: true, load: async () => ({ to: ['628990000001@s.whatsapp.net'], count: texts }) },
    ]
    if (sessions === 1) {
      kinds.push(
        { name: 'first messages to a contact', times: 1.4, load: async (client, turn) => newContacts(client, turn) },
        { name: 'group of 11', times: 3, load: async client => groupOf(world, client, 11, 100) },
        { name: 'group of 100', load: async client => groupOf(world, client, 100, 30) },
      )
    }
    const rows: Row[] = []
    for (const kind of kinds) rows.push(...(await inTurns(kind, sessions, [ours, bare], turns)))
    return rows
  } finally {
    await Promise.all([ours.close(), bare.close()])
    await world.close()
  }
}

async function inTurns(
  kind: Kind,
  sessions: number,
  [ours, bare]: readonly [Client, Client],
  turns: number,
): Promise<Row[]> {
  const runs: { ours: Sent; bare: Sent }[] = []
  for (let turn = -1; turn < turns; turn++) {
    const run = {
      ours: await ours.send(await kind.load(ours, turn)),
      bare: await bare.send(await kind.load(bare, turn)),
    }
    // The first turn makes the Signal sessions and warms the code up.
    if (turn >= 0) runs.push(run)
  }
  const middle = (pick: (run: (typeof runs)[number]) => number) => median(runs.map(pick))
  const rate = middle(run => run.ours.rate / run.bare.rate)
  const cpu = middle(run => run.bare.cpu / run.ours.cpu)
  const what = `${kind.name}, ${sessions === 1 ? 'one session' : `${sessions} sessions`}`
  const value = (side: 'ours' | 'bare') =>
    `${Math.round(middle(run => run[side].rate))}/s, ${middle(run => run[side].cpu).toFixed(2)} ms CPU`
  return [
    { what, value: value('ours') },
    { what: `${what}, bare Baileys`, value: value('bare') },
    {
      what: `${what}, rate ratio`,
      value: rate.toFixed(2),
      ...(kind.rated && { target: `${LEAST_RATE} or more`, ok: rate >= LEAST_RATE }),
    },
    {
      what: `${what}, bare CPU over ours`,
      value: cpu.toFixed(2),
      ...(kind.times !== undefined && { target: `${kind.times} or more`, ok: cpu >= kind.times }),
    },
  ]
}

const CONTACTS = 100

/** Numbers that the client has never written to. */
async function newContacts(client: Client, turn: number): Promise<Load> {
  const base = 628_300_000_000 + (turn + 1) * 1000 + Number(client.phones[0]?.slice(-4)) * 1_000_000
  return { to: Array.from({ length: CONTACTS }, (_, i) => `${base + i}@s.whatsapp.net`), count: 1 }
}

const groups = new Map<string, string>()

async function groupOf(world: World, client: Client, size: number, count: number): Promise<Load> {
  const [creator = ''] = client.phones
  const name = `${creator} ${size}`
  const members = Array.from({ length: size - 1 }, (_, i) => String(628_400_000_000 + i))
  const jid = groups.get(name) ?? (await world.simulator.createGroup(creator, `group of ${size}`, members)).jid
  groups.set(name, jid)
  return { to: [jid], count }
}
