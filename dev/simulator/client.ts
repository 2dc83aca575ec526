import type { ArmedFault, Fault } from './faults.ts'
import type { MemberAction } from './group-changes.ts'
import type { JournalEntry, JournalKind } from './journal.ts'
import type { MediaKind } from './media-check.ts'
import type { Linked } from './pairing.ts'
import type { Received } from './received.ts'
import type { Settings } from './settings.ts'

/** Filters of `received`. */
export type ReceivedQuery = {
  /** Only entries with a greater index. */
  readonly since?: number
  readonly limit?: number
  /** Number of the client's account. */
  readonly phone?: string
  /** `to` as written, or the number of a 1:1 chat. */
  readonly chat?: string
  readonly id?: string
}

/** Filters of `log`; several kinds are joined by commas. */
export type LogQuery = {
  readonly since?: number
  readonly limit?: number
  readonly kind?: JournalKind | `${JournalKind},${JournalKind}`
  readonly phone?: string
  readonly tag?: string
  readonly connection?: number
}

/** A refusal of the control side. */
export class SimulatorError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(`${code}: ${message}`)
    this.name = 'SimulatorError'
    this.code = code
  }
}

const DEFAULT_WAIT_MS = 15_000

export type SimulatorClient = ReturnType<typeof createSimulatorClient>

/** The control side of a running simulator, by its URL. */
export function createSimulatorClient(controlUrl: string) {
  const call = async <T>(method: string, path: string, input: Readonly<Record<string, unknown>> = {}): Promise<T> => {
    const url = new URL(path, controlUrl)
    const body = method === 'GET' ? undefined : JSON.stringify(input)
    if (method === 'GET') {
      for (const [name, value] of Object.entries(input)) {
        if (typeof value === 'string' || typeof value === 'number') url.searchParams.set(name, `${value}`)
      }
    }
    const response = await fetch(url, body === undefined ? { method } : { method, body })
    const answer: unknown = await response.json()
    if (response.ok) return answer as T
    const { code, message } = answer as { code: string; message: string }
    throw new SimulatorError(code, message)
  }

  const received = async (query: ReceivedQuery & { wait?: number; count?: number } = {}): Promise<Received[]> =>
    (await call<{ entries: Received[] }>('GET', '/received', query)).entries
  const log = async (query: LogQuery & { wait?: number; count?: number } = {}): Promise<JournalEntry[]> =>
    (await call<{ entries: JournalEntry[] }>('GET', '/log', query)).entries

  return {
    call,
    scan: (qr: string, phone?: string) => call<Linked>('POST', '/scan', { qr, phone }),
    pairCode: (phoneNumber: string, code: string) => call<Linked>('POST', '/pair-code', { phoneNumber, code }),
    logout: (phone: string, device?: number) => call<{ devices: number[] }>('POST', '/logout', { phone, device }),
    numbers: (lists: { unregistered?: string[]; restricted?: string[]; withoutLid?: string[] }) =>
      call('POST', '/numbers', lists),
    accounts: () => call<{ accounts: AccountView[] }>('GET', '/accounts'),
    connections: () => call<{ connections: ConnectionView[] }>('GET', '/connections'),
    received,
    /** Waits for `count` messages; throws when fewer came within `waitMs`. */
    async waitForReceived(count: number, query: ReceivedQuery = {}, waitMs = DEFAULT_WAIT_MS): Promise<Received[]> {
      const limit = Math.max(count, query.limit ?? 1000)
      const entries = await received({ ...query, limit, count, wait: waitMs })
      if (entries.length < count) throw new Error(`only ${entries.length} of ${count} messages within ${waitMs} ms`)
      return entries
    },
    log,
    /** Waits for `count` lines of the log; throws when fewer came within `waitMs`. */
    async waitForLog(count: number, query: LogQuery, waitMs = DEFAULT_WAIT_MS): Promise<JournalEntry[]> {
      const limit = Math.max(count, query.limit ?? 1000)
      const entries = await log({ ...query, limit, count, wait: waitMs })
      if (entries.length < count) throw new Error(`only ${entries.length} of ${count} log lines within ${waitMs} ms`)
      return entries
    },
    /** Has `from`, a simulated number, write a text to a linked number or a group jid. */
    sendText: (from: string, to: string, text: string, options: { id?: string; addressing?: 'lid' | 'pn' } = {}) =>
      call<{ id: string }>('POST', '/send', { from, to, text, ...options }),
    /** Like `sendText` with any message as protobuf JSON. */
    sendMessage: (
      from: string,
      to: string,
      message: Readonly<Record<string, unknown>>,
      options: { id?: string } = {},
    ) => call<{ id: string }>('POST', '/send', { from, to, message, ...options }),
    /** Like `sendText` with the protobuf of any message, well-formed or not. */
    sendBytes: (from: string, to: string, bytes: Uint8Array) =>
      call<{ id: string }>('POST', '/send', { from, to, bytes: Buffer.from(bytes).toString('base64') }),
    /** Has `from` send a file; `data` are its plain bytes. */
    sendMedia: (from: string, to: string, file: MediaFile) =>
      call<{ id: string }>('POST', '/send-media', {
        from,
        to,
        ...file,
        data: Buffer.from(file.data).toString('base64'),
      }),
    /** Has `from` edit the message `about`, encrypted with the secret that it was sent with. */
    edit: (from: string, to: string, about: string, text: string, names: SealedNames = {}) =>
      call<{ id: string }>('POST', '/edit', { from, to, about, text, ...names }),
    /** Has `from` vote on the poll `about`; no options take the vote back. */
    vote: (from: string, to: string, about: string, options: readonly string[], names: SealedNames = {}) =>
      call<{ id: string }>('POST', '/vote', { from, to, about, options, ...names }),
    /** Has `from` ask a linked number for messages again, whoever they were for. */
    ask: (question: ControlAsk) => call('POST', '/ask', question),
    /** Gives a linked number a stanza as it is; bytes in base64. */
    stanza: (to: string, stanza: RawStanza) => call('POST', '/stanza', { to, stanza }),
    createGroup: (creator: string, subject: string, members: string[]) =>
      call<GroupView>('POST', '/groups', { creator, subject, members }),
    groups: () => call<{ groups: GroupView[] }>('GET', '/groups'),
    changeMembers: (group: string, action: MemberAction, phones: string[], by?: string) =>
      call<{ results: { phone: string; status: string }[] }>('POST', '/groups/members', { group, action, phones, by }),
    fault: (fault: Fault) => call<ArmedFault>('POST', '/faults', fault),
    faults: () => call<{ faults: ArmedFault[] }>('GET', '/faults'),
    clearFaults: () => call('DELETE', '/faults'),
    disconnect: (phone: string, options: { code?: number; how?: 'code' | 'cut' | 'freeze' } = {}) =>
      call<{ connections: number[] }>('POST', '/disconnect', { phone, ...options }),
    settings: (changed: Partial<Settings>) => call<Settings>('POST', '/settings', changed),
    reset: (options: { all?: boolean } = {}) => call('POST', '/reset', options),
  }
}

/** A stanza as it is sent; `content` is children, or bytes in base64. */
export type RawStanza = {
  readonly tag: string
  readonly attrs: Readonly<Record<string, string>>
  readonly content?: readonly RawStanza[] | string
}

/** How the author of the message and who changes it are named in what is encrypted. */
export type SealedNames = { readonly author?: 'lid' | 'pn'; readonly self?: 'lid' | 'pn' }

/** What a contact asks for again. */
export type ControlAsk = {
  readonly from: string
  readonly to: string
  readonly ids: readonly string[]
  readonly group?: string
  readonly device?: number
  readonly addressing?: 'lid' | 'pn'
}

/** A number with linked clients. */
export type AccountView = {
  readonly phone: string
  readonly jid: string
  readonly lid: string
  readonly name: string
  readonly devices: readonly {
    readonly device: number
    readonly jid: string
    readonly state: string
    readonly connection?: number
    readonly preKeys: number
    readonly pending: number
  }[]
}

/** An open socket; closed ones are in the log (`open` and `close` lines). */
export type ConnectionView = {
  readonly connection: number
  readonly state: string
  readonly openedAt: number
  readonly phone?: string
  readonly device?: number
}

/** A file for `sendMedia`. */
export type MediaFile = {
  readonly kind: MediaKind
  readonly data: Uint8Array
  readonly mimetype: string
  readonly caption?: string
  readonly fileName?: string
  readonly ptt?: boolean
}

export type GroupView = {
  readonly jid: string
  readonly subject: string
  readonly description?: string
  readonly inviteCode: string
  readonly announcement: boolean
  readonly locked: boolean
  readonly members: readonly { readonly phone: string; readonly jid: string; readonly rank?: 'superadmin' | 'admin' }[]
}
