import * as z from 'zod'
import type { Context } from '../context.ts'
import type { JournalEntry } from '../journal.ts'
import type { Received } from '../received.ts'
import type { Query, Ring } from '../ring.ts'
import { route } from './route.ts'

const MAX_WAIT = 60_000

const paging = {
  /** Only entries with a greater index. */
  since: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(100_000).default(1000),
  /** Waits up to `wait` ms until `count` entries match. */
  wait: z.coerce.number().int().min(0).max(MAX_WAIT).default(0),
  count: z.coerce.number().int().min(1).default(1),
}

const logSchema = z.object({
  ...paging,
  kind: z.string().optional(),
  phone: z.string().optional(),
  tag: z.string().optional(),
  connection: z.coerce.number().optional(),
})

const receivedSchema = z.object({
  ...paging,
  /** Number of the client's account. */
  phone: z.string().optional(),
  /** `to` as written, or the number of a 1:1 chat. */
  chat: z.string().optional(),
  id: z.string().optional(),
})

type Paging = z.infer<z.ZodObject<typeof paging>>

/** What was seen: the log and the messages. */
export const recordRoutes = [
  route('GET', '/log', logSchema, async (context, input) => {
    const { kind, phone, tag, connection } = input
    const matches = (entry: JournalEntry): boolean =>
      (kind === undefined || kind.split(',').includes(entry.kind)) &&
      (phone === undefined || entry.phone === phone) &&
      (tag === undefined || entry.tag === tag) &&
      (connection === undefined || entry.connection === connection)
    return { entries: await page(context.journal.ring, input, matches), ...bounds(context.journal.ring) }
  }),
  route('GET', '/received', receivedSchema, async (context, input) => {
    const { phone, chat, id } = input
    const matches = (entry: Received): boolean =>
      (phone === undefined || entry.from.phone === phone) &&
      (chat === undefined || entry.chat === chat || entry.chatPhone === chat) &&
      (id === undefined || entry.id === id)
    return { entries: await page(context.received, input, matches), ...bounds(context.received) }
  }),
  /** Forgets messages, log and faults; `all` also accounts, devices, groups and media, and ends all connections. */
  route('POST', '/reset', z.object({ all: z.boolean().default(false) }), (context, { all }) => {
    context.journal.ring.clear()
    context.received.clear()
    context.faults.clear()
    if (all) forgetAll(context)
    return {}
  }),
  route('GET', '/health', z.object({}), () => ({ ok: true })),
]

async function page<T extends JournalEntry | Received>(
  ring: Ring<T>,
  input: Paging,
  matches: (entry: T) => boolean,
): Promise<readonly T[]> {
  const query: Query<T> = { since: input.since, limit: input.limit, matches }
  return input.wait > 0 ? ring.wait(query, input.count, input.wait) : ring.read(query)
}

function bounds<T extends JournalEntry | Received>(ring: Ring<T>): { lastIndex: number; dropped: number } {
  return { lastIndex: ring.lastIndex, dropped: ring.dropped }
}

function forgetAll(context: Context): void {
  for (const connection of context.connections.values()) connection.cut()
  context.world.clear()
  context.groups.clear()
  context.media.clear()
  context.senderKeys.clear()
  for (const store of [context.sent.byClient, context.sent.byContact, context.sent.retries]) store.clear()
}
