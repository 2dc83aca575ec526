import { EventEmitter } from 'node:events'
import {
  addTransactionCapability,
  DEFAULT_CONNECTION_CONFIG,
  initAuthCreds,
  makeWASocket,
  proto,
  type AuthenticationCreds,
  type BaileysEventMap,
  type ConnectionState,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
  type WAMessage,
  type WASocket,
} from '@whiskeysockets/baileys'
import type { SocketConfig } from '@whiskeysockets/baileys'
import type { SimulatorClient } from '../simulator/client.ts'

/** An unmodified Baileys client with its keys in memory, that reconnects only when told to. */
export type TestClient = {
  readonly creds: AuthenticationCreds
  readonly socket: WASocket
  /** Every `messages.upsert` since the start, over all connections. */
  readonly messages: { type: string; message: WAMessage }[]
  readonly updates: Partial<ConnectionState>[]
  /** Resolves with the first event, past or future, that `pick` accepts. */
  on<E extends keyof BaileysEventMap, T>(event: E, pick: (value: BaileysEventMap[E]) => T | undefined): Promise<T>
  /** Opens a (new) connection. */
  connect(): WASocket
  end(): Promise<void>
  /** Its keys, `type|id`: tests lose some or roll them back. */
  readonly store: Map<string, unknown>
}

const WAIT_MS = 15_000
const silent = DEFAULT_CONNECTION_CONFIG.logger.child({})
silent.level = 'silent'
// libsignal prints whole sessions, private keys included.
console.info = () => {}

function memoryKeys(store: Map<string, unknown>): SignalKeyStore {
  return {
    get: async <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) => {
      const found: Record<string, SignalDataTypeMap[T]> = {}
      for (const id of ids) {
        const value = store.get(`${type}|${id}`)
        if (value !== undefined) found[id] = value as SignalDataTypeMap[T]
      }
      return found
    },
    set: async (data: SignalDataSet) => {
      for (const [type, entries] of Object.entries(data)) {
        for (const [id, value] of Object.entries(entries)) {
          if (value === null || value === undefined) store.delete(`${type}|${id}`)
          else store.set(`${type}|${id}`, value)
        }
      }
    },
  }
}

export function createTestClient(waUrl: string, config: Partial<SocketConfig> = {}): TestClient {
  const creds = initAuthCreds()
  const store = new Map<string, unknown>()
  const keys = memoryKeys(store)
  const past: { event: keyof BaileysEventMap; value: unknown }[] = []
  const news = new EventEmitter().setMaxListeners(0)
  const messages: TestClient['messages'] = []
  const updates: Partial<ConnectionState>[] = []
  let socket: WASocket | undefined

  const client: TestClient = {
    creds,
    get socket() {
      if (!socket) throw new Error('client is not connected')
      return socket
    },
    messages,
    updates,
    on(event, pick) {
      for (const { event: seen, value } of past) {
        const found = seen === event ? pick(value as never) : undefined
        if (found !== undefined) return Promise.resolve(found)
      }
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no ${event} within ${WAIT_MS} ms`)), WAIT_MS)
        const listen = (value: unknown): void => {
          const found = pick(value as never)
          if (found === undefined) return
          clearTimeout(timer)
          news.off(event, listen)
          resolve(found)
        }
        news.on(event, listen)
      })
    },
    connect() {
      past.length = 0
      const made = makeWASocket({
        waWebSocketUrl: waUrl,
        auth: { creds, keys: addTransactionCapability(keys, silent, { maxCommitRetries: 1, delayBetweenTriesMs: 10 }) },
        logger: silent,
        ...config,
      })
      socket = made
      made.ev.process(events => {
        if (events['creds.update']) Object.assign(creds, events['creds.update'])
        if (events['connection.update']) updates.push(events['connection.update'])
        for (const message of events['messages.upsert']?.messages ?? []) {
          messages.push({ type: events['messages.upsert']?.type ?? '', message })
        }
        for (const [event, value] of Object.entries(events)) {
          past.push({ event: event as keyof BaileysEventMap, value })
          news.emit(event, value)
        }
      })
      return made
    },
    async end() {
      await socket?.end(undefined)
    },
    store,
  }
  return client
}

/** Waits for a connection to be open. */
export function opened(client: TestClient): Promise<true> {
  return client.on('connection.update', update => (update.connection === 'open' ? true : undefined))
}

/** Waits for a connection to be closed; resolves with the status code that Baileys gives. */
export function closed(client: TestClient): Promise<number> {
  return client.on('connection.update', update => {
    if (update.connection !== 'close') return undefined
    const error = update.lastDisconnect?.error as { output?: { statusCode?: number } } | undefined
    return error?.output?.statusCode ?? 0
  })
}

/** Waits for a message with this text, from any connection so far. */
export async function textArrived(client: TestClient, text: string): Promise<{ type: string; message: WAMessage }> {
  const find = (): { type: string; message: WAMessage } | undefined =>
    client.messages.find(({ message }) => {
      const content = message.message
      return content?.conversation === text || content?.extendedTextMessage?.text === text
    })
  return find() ?? (await client.on('messages.upsert', find))
}

export const MessageStatus = proto.WebMessageInfo.Status

/** Links a client by QR and opens it; resolves with its number. */
export async function linkByQr(client: TestClient, control: SimulatorClient, phone?: string): Promise<string> {
  client.connect()
  const linked = await control.scan(await client.on('connection.update', update => update.qr), phone)
  if ((await closed(client)) !== 515) throw new Error('client was not asked to restart')
  client.connect()
  await opened(client)
  return linked.phone
}
