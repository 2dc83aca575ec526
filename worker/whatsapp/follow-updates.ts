import { proto, type BaileysEventMap, type WASocket } from '@whiskeysockets/baileys'
import type { UpdateEvent, UpdateName } from '../../shared/events.ts'
import type { SessionContext } from '../core.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { createBatcher } from '../redis/batch.ts'
import { FencedError } from '../redis/fenced.ts'
import { cutToBounds } from './bounds.ts'
import { plain } from './event-json.ts'
import { keyJson, type FindPhoneNumber, type Me } from './key-json.ts'

/** The updates that are as Baileys emits them. */
const OF_BAILEYS = [
  'messages.update',
  'message-receipt.update',
  'groups.update',
  'group-participants.update',
  'presence.update',
  'contacts.update',
  'call',
] as const satisfies readonly (keyof BaileysEventMap & UpdateName)[]

type BaileysUpdate = (typeof OF_BAILEYS)[number]

/** What following updates needs. */
export interface UpdatesDeps {
  outbox: Pick<Outbox, 'append'>
  /** Those that the operator asks for. */
  wanted: ReadonlySet<UpdateName>
  /** Whether too much awaits delivery already: strangers cause updates. */
  isFull: () => boolean
  /** Told of an update that could not be told, and why. */
  onSetAside: (error: unknown) => void
}

const { Status } = proto.WebMessageInfo

/** What WhatsApp's numbers say of a message that was sent. */
const STATUS_WORDS: Readonly<Record<number, string>> = {
  [Status.ERROR]: 'error',
  [Status.PENDING]: 'pending',
  [Status.SERVER_ACK]: 'sent',
  [Status.DELIVERY_ACK]: 'delivered',
  [Status.READ]: 'read',
  [Status.PLAYED]: 'played',
}

/** Longest JSON of one update, in UTF-16 units; those of people have some hundred. */
const MOST_JSON = 256 * 1024
/** Updates of a socket that wait for the outbox, such as while Redis is away. */
const MOST_WAITING = 100

/**
 * Tells of the updates of a socket that are asked for, under Baileys' names. Unlike messages they are told at most once: Baileys
 * has answered WhatsApp before it emits them, so what a worker that dies has not stored yet is lost, and so is what comes while
 * too much awaits delivery. The order among them is kept.
 */
export function followUpdates(
  sock: Pick<WASocket, 'ev' | 'user' | 'signalRepository'>,
  { sessionId, fence, core }: SessionContext,
  { outbox, wanted, isFull, onSetAside }: UpdatesDeps,
): void {
  const find: FindPhoneNumber = async lid => sock.signalRepository.lidMapping.getPNForLID(lid)
  const line = createBatcher<Update>({
    together: () => 1,
    async send(batch) {
      for (const update of batch) await store(update).catch(failed)
    },
  })

  async function named(copies: Copy[] | Record<string, unknown>): Promise<UpdateEvent['data']> {
    if (!Array.isArray(copies)) return copies
    const me: Me = { id: sock.user?.id, lid: sock.user?.lid }
    return Promise.all(
      copies.map(async ({ key, rest }) => ({ ...(key && { key: await keyJson(key, me, find) }), ...rest })),
    )
  }

  for (const name of OF_BAILEYS) if (wanted.has(name)) sock.ev.on(name, data => tell(name, data))

  function tell(event: BaileysUpdate, data: BaileysEventMap[BaileysUpdate]): void {
    if (isFull()) return onSetAside(new Error('too many events await delivery'))
    const timestamp = Math.floor(core.clock.now() / 1000)
    if (line.waiting.length >= MOST_WAITING) return onSetAside(new Error('too many updates await the outbox'))
    try {
      // A sender chooses how deep it is, and what follows recurses.
      cutToBounds(data)
      // Baileys goes on changing its objects.
      const copies = Array.isArray(data)
        ? data.filter(isToldHere).map(item => copyOf(item))
        : (plain(data) as Record<string, unknown>)
      if (!Array.isArray(copies) || copies.length > 0) line.add({ event, timestamp, copies })
    } catch (error) {
      onSetAside(error)
    }
  }

  async function store({ event, timestamp, copies }: Update): Promise<void> {
    const told: UpdateEvent = { event, sessionId, timestamp, data: await named(copies) }
    if (JSON.stringify(told).length > MOST_JSON) throw new RangeError('too large')
    await outbox.append(fence, told)
  }

  function failed(error: unknown): void {
    if (!(error instanceof FencedError)) onSetAside(error)
  }
}

/** An update on its way to the outbox. */
interface Update {
  event: UpdateName
  timestamp: number
  copies: Copy[] | Record<string, unknown>
}

/** An item of an update as JSON, its key aside: people in it get the names that other events have for them. */
interface Copy {
  key: Parameters<typeof keyJson>[0] | undefined
  rest: Record<string, unknown>
}

/** What is edited or deleted is told with the message that says so (message-updates.ts), and what cannot be read in unread.ts. */
function isToldHere(item: object): boolean {
  const { update } = item as { update?: object }
  return update === undefined || !('message' in update || 'messageStubParameters' in update)
}

/** Statuses become words, bytes base64, times Unix seconds. */
function copyOf(item: object): Copy {
  const { key, update, ...others } = item as Record<string, unknown>
  const rest = plain(others) as Record<string, unknown>
  if (typeof update === 'object' && update !== null) {
    const { status, ...changes } = update as Record<string, unknown>
    const word = typeof status === 'number' ? STATUS_WORDS[status] : undefined
    rest['update'] = { ...(plain(changes) as Record<string, unknown>), ...(word !== undefined && { status: word }) }
  }
  return { key: key === undefined ? undefined : { ...(key as Parameters<typeof keyJson>[0]) }, rest }
}
