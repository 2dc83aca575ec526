import { jidNormalizedUser, proto, type BaileysEventMap, type WAMessageKey } from '@whiskeysockets/baileys'
import type { GatedSocket } from '../baileys/socket/writes.ts'
import type { UpdateEvent, UpdateName } from '../../shared/events.ts'
import type { SessionContext } from '../core.ts'
import { cutToBounds } from './bounds.ts'
import { plain } from './event-json.ts'
import type { Inbound, InboundLine, SetAside } from './inbound.ts'
import { keyJson, type FindPhoneNumber, type Me } from './key-json.ts'
import { isChatTold } from './told.ts'
import type { Told } from '../../shared/events.ts'

/** The updates that are as Baileys emits them, and whether WhatsApp keeps their cause until it has our ack. */
const OF_BAILEYS = {
  'messages.update': true,
  'message-receipt.update': true,
  'groups.update': true,
  'group-participants.update': true,
  call: true,
  'presence.update': false,
  'contacts.update': false,
} as const satisfies { [N in keyof BaileysEventMap & UpdateName]?: boolean }

type BaileysUpdate = keyof typeof OF_BAILEYS

/** What following updates needs. */
export interface UpdatesDeps {
  line: Pick<InboundLine, 'push'>
  told: Told
  /** Whether too much awaits delivery already: strangers cause updates. */
  isFull: () => boolean
  setAside: SetAside
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
const MOST_WAITING = 500

/** Told of what Baileys emits, before WhatsApp has its ack. */
export type Updated = <E extends keyof BaileysEventMap>(event: E, data: BaileysEventMap[E]) => void

/**
 * Tells of the updates of a socket that are asked for, under Baileys' names, in the session's line. No frame leaves before one is
 * stored whose cause WhatsApp keeps until then: a worker that dies is told again, and the event may come twice. What comes while
 * too much awaits delivery is left out.
 */
export function followUpdates(
  { sock, gate }: Pick<GatedSocket, 'sock' | 'gate'>,
  { sessionId, core }: SessionContext,
  { line, told, isFull, setAside }: UpdatesDeps,
): Updated {
  const find: FindPhoneNumber = async lid => sock.signalRepository.lidMapping.getPNForLID(lid)
  let waiting = 0

  async function eventOf(event: BaileysUpdate, timestamp: number, copies: Copy[] | Json): Promise<UpdateEvent> {
    const me: Me = { id: sock.user?.id, lid: sock.user?.lid }
    const data = Array.isArray(copies) ? await Promise.all(copies.map(async copy => named(copy, me))) : copies
    const update = { event, sessionId, timestamp, data }
    if (JSON.stringify(update).length > MOST_JSON) throw new RangeError('too large')
    return update
  }

  /** People get the names that other events have for them. */
  async function named({ key, rest }: Copy, me: Me): Promise<Json> {
    const receipt = rest['receipt'] as Json | undefined
    const reader = typeof receipt?.['userJid'] === 'string' ? await personOf(receipt['userJid']) : {}
    return {
      ...(key && { key: await keyJson(key, me, find) }),
      ...rest,
      ...(receipt && { receipt: { ...receipt, ...reader } }),
    }
  }

  async function personOf(jid: string): Promise<Json> {
    const number = jid.endsWith('@lid') ? await find(jid) : null
    return number === null ? {} : { userJid: jidNormalizedUser(number), userJidAlt: jid }
  }

  async function store(events: Inbound['events'], isHeld: boolean): Promise<void> {
    const open = isHeld ? gate.hold() : () => {}
    waiting += 1
    const stored = await line.push({ events })
    waiting -= 1
    // When it never will be stored the lease is lost, and no ack must leave.
    if (stored) open()
  }

  return (event, data) => {
    if (!isOfBaileys(event) || !told.has(event)) return
    try {
      // A sender chooses how deep it is, and what follows recurses.
      cutToBounds(data)
      // Baileys goes on changing its objects.
      const copies = Array.isArray(data)
        ? data.filter(item => isToldHere(item as object, told)).map(item => copyOf(item as object))
        : (plain(data) as Json)
      if (Array.isArray(copies) && copies.length === 0) return
      if (isFull()) throw new RangeError('too many events await delivery')
      if (waiting >= MOST_WAITING) throw new RangeError('too many updates await the outbox')
      const timestamp = Math.floor(core.clock.now() / 1000)
      void store(async () => [await eventOf(event, timestamp, copies)], OF_BAILEYS[event])
    } catch (error) {
      setAside(error)
    }
  }
}

function isOfBaileys(event: string): event is BaileysUpdate {
  return Object.hasOwn(OF_BAILEYS, event)
}

type Json = Record<string, unknown>

/** An item of an update as JSON, its key aside. */
interface Copy {
  key: WAMessageKey | undefined
  rest: Json
}

/**
 * What is edited or deleted is told with the message that says so (message-updates.ts), and what cannot be read in unread.ts.
 */
function isToldHere(item: object, told: Told): boolean {
  const { key, update } = item as { key?: WAMessageKey; update?: object }
  if (!isChatTold(told, key?.remoteJid)) return false
  return update === undefined || !('message' in update || 'messageStubParameters' in update)
}

/** Statuses become words, bytes base64, times Unix seconds. */
function copyOf(item: object): Copy {
  const { key, update, ...others } = item as { key?: WAMessageKey; update?: unknown }
  const rest = plain(others) as Json
  if (typeof update === 'object' && update !== null) {
    const { status, ...changes } = update as Json
    const word = typeof status === 'number' ? STATUS_WORDS[status] : undefined
    rest['update'] = { ...(plain(changes) as Json), ...(word !== undefined && { status: word }) }
  }
  // Of a message that we sent, Baileys gives as its author who has read it.
  const { participant: _reader, ...own } = key ?? {}
  return { key: key?.fromMe === true ? own : key && { ...key }, rest }
}
