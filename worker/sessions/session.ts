import type { SessionState, SessionView } from '../../shared/session.ts'
import { UnreadableError, type Cipher } from '../credentials/cipher.ts'
import { rotateCredentials } from '../credentials/rotate.ts'
import { openCredentials } from '../credentials/store.ts'
import { FencedError } from '../redis/fenced.ts'
import { JobFailure } from '../jobs/job.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Disconnect } from '../whatsapp/disconnect.ts'
import { createArrival } from './arrival.ts'
import type { Connection, ConnectionDeps } from './connection.ts'
import type { SessionContext } from '../core.ts'
import type { Opener } from './opener.ts'
import type { Records } from './records.ts'
import { isFinal, pauseMs, transition, UNSTARTED, type Input, type Life, type Pace, type Action } from './transition.ts'
import { connectionEvent, disconnectOf, nextView, UNREADABLE, type Shown } from './view.ts'
import { createWire } from './wire.ts'

/** What sessions of one partition share. */
export interface SessionDeps extends ConnectionDeps {
  outbox: Outbox
  cipher: Cipher
  records: Records
  /** In [0, 1); spreads reconnects. */
  random: () => number
  pace: Pace
  /** Lets sessions that were just linked log in, some at a time. */
  linking: Opener
  onChange: (sessionId: string) => void
  /** A connection ended; for metrics. */
  onDisconnect: (end: Disconnect) => void
}

/** One session's life in this worker. */
export interface Session {
  state(): SessionState
  view(): SessionView | undefined
  /** The connection, while it is open and can be written to. */
  open(): Connection | undefined
  /** Resolves when the state is written and a socket is on its way; no-op while there is one. Throws `JobFailure`. */
  start(phoneNumber?: string): Promise<void>
  /** Like `start`, for a session that was started before. */
  resume(): Promise<void>
  /** Resolves when the session is open or has failed to open, or after the time given. */
  arrived(timeoutMs: number): Promise<void>
  /** Resolves when the socket is closed and the state written; the credentials stay. */
  stop(): Promise<void>
  /** Unlinks the device if it is connected, and removes all of the session; its last event is still delivered. */
  remove(): Promise<void>
  /** Resolves when a final state and all that belongs to it is written. */
  settled(): Promise<void>
  /** Closes the socket and writes nothing: the next owner goes on. */
  close(): Promise<void>
  /** Like `close`, at once. */
  abandon(): void
}

const LOGOUT_MS = 5000
/** A first login that takes longer no longer holds up the others. */
const FIRST_LOGIN_MS = 3000
const STOPPED = { statusCode: 0, reason: 'stopped', willReconnect: false }
const DELETED = { statusCode: 0, reason: 'deleted', willReconnect: false }

/**
 * Makes a session that has no socket yet. `before` is its view in Redis; with `restored` it counts as on its way to
 * open until it is started, so that its jobs wait.
 */
export function createSession(
  deps: SessionDeps,
  context: SessionContext,
  { before, restored = false }: { before: SessionView | undefined; restored?: boolean },
): Session {
  const { outbox, records } = deps
  const { sessionId, fence } = context
  const { clock, redis } = context.core
  const log = context.core.log.child({ sessionId })
  const credentials = openCredentials({ redis, log, fence, cipher: deps.cipher }, sessionId)
  const wire = createWire(deps, context, credentials, {
    shown: by => inBackground(apply({ type: 'shown' }, by)),
    accepted: () => inBackground(apply({ type: 'accepted' })),
    opened(identity) {
      openedAt = clock.monotonic()
      inBackground(apply({ type: 'opened' }, { identity }))
      inBackground(rotateCredentials({ redis, fence, cipher: deps.cipher }, sessionId).then(() => undefined))
    },
    renamed(pushName) {
      if (view === undefined || view.pushName === pushName) return
      view = { ...view, pushName }
      inBackground(written.then(() => records.rename(sessionId, pushName)))
    },
    closed: end => inBackground(ended(end)),
    codeFailed: error => log.warn({ error: textOf(error) }, 'a pairing code could not be had'),
  })

  let life: Life = restored ? { ...UNSTARTED, state: 'backoff' } : UNSTARTED
  let view = before
  let openedAt = 0
  let pause: NodeJS.Timeout | undefined
  let written: Promise<void> = Promise.resolve()
  let settling: Promise<void> = Promise.resolve()
  let over = false
  const arrival = createArrival()

  /** The one place that changes the state. Resolves when the state is written. */
  function apply(input: Input, shown: Shown = {}): Promise<void> {
    const { life: next, action, known } = transition(life, input)
    if (over || !known) return Promise.resolve()
    // The 515 that ends a pairing: the session is connecting, and was before.
    const news = !(input.type === 'closed' && next.state === life.state)
    life = next
    if (news) {
      view = nextView(view, life.state, { ...shown, ...disconnectOf(input, action) }, clock.now())
      written = outbox.append(fence, connectionEvent(sessionId, view), { view }).then(() => undefined)
    }
    follow(action, input)
    if (life.state !== 'connecting') arrival.tell()
    deps.onChange(sessionId)
    return written
  }

  function follow(action: Action, input: Input): void {
    clearTimeout(pause)
    inBackground(written)
    if (action === 'connect') inBackground(isFirstLogin(input) ? logInForTheFirstTime() : wire.connect())
    if (action === 'wait' && input.type === 'closed') startLater(pauseMs(life, input.end, deps.random(), deps.pace))
    if (action === 'rest' || action === 'keep' || action === 'forget') inBackground((settling = settle(action)))
  }

  async function logInForTheFirstTime(): Promise<void> {
    const asked = wire.generation()
    await deps.linking.run([sessionId], {
      signal: fence.signal,
      async open() {
        // Stopped meanwhile, or closed.
        if (asked !== wire.generation() || over) return
        await wire.connect()
        await arrived(FIRST_LOGIN_MS)
      },
    })
  }

  async function arrived(timeoutMs: number): Promise<void> {
    if (life.state === 'connecting') await arrival.within(timeoutMs)
  }

  function startLater(ms: number): void {
    pause = setTimeout(() => inBackground(resume()), ms)
  }

  // The view is written first: after a crash in between, a final view says what is still to be cleaned up.
  async function settle(action: Action): Promise<void> {
    await wire.disconnect()
    await written
    if (action === 'forget') await credentials.clear()
    await credentials.close()
    if (action !== 'keep') await records.unmarkStarted(sessionId)
  }

  async function begin(anew = false): Promise<void> {
    const asked = wire.generation()
    let linked: boolean
    try {
      linked = (await credentials.loadCreds()) !== undefined
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error
      log.error({ error: error.message }, 'the credentials of a session cannot be read')
      const lastDisconnect = { statusCode: 0, reason: UNREADABLE, willReconnect: false }
      await apply({ type: 'unreadable' }, { lastDisconnect })
      throw new JobFailure('CREDENTIALS_UNREADABLE', 'no given key decrypts the credentials')
    }
    // Stopped or connected meanwhile by somebody else: that is newer.
    if (asked === wire.generation()) await apply({ type: 'started', linked, anew })
  }

  async function resume(): Promise<void> {
    try {
      await begin()
    } catch (error) {
      // Redis may answer an error, such as LOADING after its restart: the session must not rest because of it.
      if (life.state === 'backoff' && !over) startLater(deps.pace.baseMs)
      throw error
    }
  }

  async function ended(end: Disconnect): Promise<void> {
    deps.onDisconnect(end)
    log.info({ code: end.statusCode, reason: end.reason }, 'a connection ended')
    const openMs = life.state === 'open' ? clock.monotonic() - openedAt : 0
    // When another owner took the session away together with the lease, this write is refused, and that yields it.
    await apply({ type: 'closed', end, openMs })
  }

  function abandon(): void {
    over = true
    clearTimeout(pause)
    // What is under way is refused by the fence.
    void credentials.close()
    wire.kill()
    if (!isFinal(life.state)) life = { ...life, state: 'backoff' }
  }

  function inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (error instanceof FencedError) return abandon()
      // It was told to whoever started the session, and is in the view.
      if (error instanceof JobFailure || over) return
      log.error({ error: textOf(error) }, 'a step in the life of a session failed')
    })
  }

  const open = (): Connection | undefined => (life.state === 'open' ? wire.usable() : undefined)

  return {
    state: () => life.state,
    view: () => view,
    open,

    async start(phoneNumber) {
      const anew = phoneNumber !== undefined && phoneNumber !== wire.phone
      wire.phone = phoneNumber ?? wire.phone
      await records.markStarted(sessionId)
      await begin(anew)
    },

    resume,

    arrived,

    async stop() {
      if (!isFinal(life.state)) await apply({ type: 'stopped' }, { lastDisconnect: STOPPED })
      await settling
    },

    async remove() {
      over = true
      clearTimeout(pause)
      await open()
        ?.logout(LOGOUT_MS)
        .catch(() => log.warn('a deleted session could not be unlinked at whatsapp'))
      await wire.disconnect()
      await credentials.clear()
      await records.forget(sessionId)
      const gone = nextView(undefined, 'stopped', { lastDisconnect: DELETED }, clock.now())
      await outbox.append(fence, connectionEvent(sessionId, gone))
      await outbox.deleteAfterDelivery(fence, sessionId)
    },

    settled: () => settling,

    async close() {
      over = true
      clearTimeout(pause)
      await wire.disconnect()
      await credentials.close()
    },

    abandon,
  }
}

/** Whether what follows is the login of a session that the phone has just accepted: WhatsApp closes with 515 then. */
function isFirstLogin(input: Input): boolean {
  return input.type === 'closed' && input.openMs === 0
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown'
}
