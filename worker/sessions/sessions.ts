import type { SessionState, SessionView } from '../../shared/session.ts'
import type { JobResult } from '../../shared/receipt.ts'
import { openCredentials } from '../credentials/store.ts'
import { ALONE, type Turn } from '../jobs/lane/turn.ts'
import { JobFailure, type Job } from '../jobs/job.ts'
import type { Core } from '../core.ts'
import type { Fence } from '../ownership/fence.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Cipher } from '../credentials/cipher.ts'
import type { ForgetJobs } from '../jobs/bullmq/forget.ts'
import type { Disconnect } from '../whatsapp/disconnect.ts'
import type { ConnectionDeps } from './connection.ts'
import type { Handlers, SessionJobName } from '../handlers/handler.ts'
import type { Opener } from './opener.ts'
import { createRecords } from './records.ts'
import { runInConnection } from './run.ts'
import { createSession, type Session, type SessionDeps } from './session.ts'
import { isFinal, PACE, type Pace } from './transition.ts'
import { failureOf, UNREADABLE } from './view.ts'

/** The sessions of one owned partition, as the lanes see them. */
export interface Sessions {
  /** Brings back every session that was started. Resolves once all are known (not once they are open). */
  restore(): Promise<void>
  /**
   * Whether a job of this session can run now. False only while the session is on its way to open (pairing,
   * connecting, backoff); a session that is absent or in a final state answers true, and `run` fails its jobs at once.
   */
  ready(sessionId: string): boolean
  /** Calls back whenever `ready` may have changed for a session. */
  onChange(listener: (sessionId: string) => void): void
  /** Runs one job to its end. `turn` defaults to a job that runs alone. Throws {@link JobFailure}. */
  run(job: Job, signal: AbortSignal, turn?: Turn): Promise<JobResult>
  /** Closes all sockets; sessions stay started and the next owner restores them. Resolves when no socket is left. */
  close(): Promise<void>
}

/** What the sessions of a partition are made of. */
export interface SessionsDeps extends ConnectionDeps {
  core: Core
  fence: Fence
  outbox: Outbox
  cipher: Cipher
  handlers: Handlers
  /** Called when a session is gone, to remove what the queue keeps of its jobs. */
  forgetJobs: ForgetJobs
  /** In [0, 1). Default: Math.random. */
  random?: () => number
  pace?: Pace
  opener: Opener
  /** See {@link SessionDeps}. */
  linking: Opener
  onDisconnect?: (end: Disconnect) => void
}

/** {@link Sessions}, and what metrics want to know. */
export interface PartitionSessions extends Sessions {
  /** How many sessions are in each state. Sessions in a final state are not in memory and not counted. */
  states(): Partial<Record<SessionState, number>>
  /** Whether every restored session has had its turn to open. */
  settled(): boolean
}

/** A session that does not open in this time no longer holds up those behind it. */
const OPENING_MS = 3000

/** Hosts the sessions of one partition while its lease is held. See {@link Sessions}. */
export function createSessions(deps: SessionsDeps): PartitionSessions {
  const { core, fence, handlers, outbox, cipher, sockets, attach, sent } = deps
  const records = createRecords(core, fence)
  const random = deps.random ?? Math.random
  const sessions = new Map<string, Session>()
  let settled = false
  const listeners: ((sessionId: string) => void)[] = []
  const closing = new AbortController()
  const ended = AbortSignal.any([closing.signal, fence.signal])

  const sessionDeps: SessionDeps = {
    outbox,
    cipher,
    sockets,
    attach,
    sent,
    records,
    random,
    pace: deps.pace ?? PACE,
    linking: deps.linking,
    onChange: changed,
    onDisconnect: end => deps.onDisconnect?.(end),
  }

  fence.signal.addEventListener('abort', abandonAll, { once: true })

  function abandonAll(): void {
    for (const session of sessions.values()) session.abandon()
  }

  function changed(sessionId: string): void {
    const session = sessions.get(sessionId)
    if (session !== undefined && isFinal(session.state())) {
      // Its view in Redis says all that is asked from now on.
      void session.settled().then(
        () => drop(sessionId, session),
        () => undefined,
      )
    }
    for (const listener of listeners) listener(sessionId)
  }

  function make(sessionId: string, before: SessionView | undefined, restored = false): Session {
    const session = createSession(sessionDeps, { sessionId, fence, core }, { before, restored })
    sessions.set(sessionId, session)
    return session
  }

  /** The session, made anew when it is at rest: a session at rest takes no memory for long. */
  async function awake(sessionId: string): Promise<Session> {
    const session = sessions.get(sessionId)
    if (session !== undefined && !isFinal(session.state())) return session
    await session?.settled()
    return make(sessionId, await records.view(sessionId))
  }

  async function start({ data }: Job<'START_SESSION'>): Promise<JobResult> {
    if (ended.aborted) throw new JobFailure('INTERNAL', 'the partition is given up', 'wait')
    const session = await awake(data.sessionId)
    await session.start(data.phoneNumber)
    return {}
  }

  async function stop({ data: { sessionId } }: Job<'STOP_SESSION'>): Promise<JobResult> {
    const session = sessions.get(sessionId)
    if (session === undefined) {
      if ((await records.view(sessionId)) === undefined) throw notFound()
      return {}
    }
    await session.stop()
    drop(sessionId, session)
    return {}
  }

  async function remove({ data: { sessionId }, createdAt }: Job<'DELETE_SESSION'>): Promise<JobResult> {
    const known = sessions.get(sessionId)
    if (known !== undefined || (await exists(sessionId))) {
      const session = known ?? make(sessionId, undefined)
      await session.remove()
      drop(sessionId, session)
      changed(sessionId)
    }
    // Also of a session that is gone: the job may run again after a crash.
    await deps.forgetJobs(sessionId, createdAt)
    return {}
  }

  async function exists(sessionId: string): Promise<boolean> {
    if ((await records.view(sessionId)) !== undefined) return true
    return records.hasCredentials(sessionId)
  }

  function drop(sessionId: string, session: Session): void {
    if (sessions.get(sessionId) !== session) return
    sessions.delete(sessionId)
    attach.forget(sessionId)
  }

  async function runHandler(job: Job<SessionJobName>, signal: AbortSignal, turn: Turn): Promise<JobResult> {
    const { sessionId } = job.data
    const session = sessions.get(sessionId)
    const resting = session === undefined || isFinal(session.state())
    const failure = resting ? failureOf(session?.view() ?? (await records.view(sessionId))) : undefined
    if (failure !== undefined) throw new JobFailure(failure.code, failure.message)
    return runInConnection({ handlers, sent, session: { sessionId, fence, core } }, session?.open(), job, signal, turn)
  }

  async function openOne(sessionId: string): Promise<void> {
    const session = sessions.get(sessionId)
    // Whoever stopped, deleted or started it meanwhile knows better.
    if (session?.state() !== 'backoff') return
    try {
      await session.resume()
      await session.arrived(OPENING_MS)
    } catch (error) {
      core.log.error(
        { sessionId, error: error instanceof Error ? error.message : 'unknown' },
        'a session was not restored',
      )
    }
  }

  return {
    async restore() {
      const ids = await records.started()
      const views = await Promise.all(ids.map(sessionId => records.view(sessionId)))
      const known: string[] = []
      for (const [i, sessionId] of ids.entries()) {
        const view = views[i]
        if (failureOf(view) === undefined || view === undefined || view.lastDisconnect?.reason === UNREADABLE) {
          make(sessionId, view, true)
          known.push(sessionId)
          continue
        }
        // The last owner came to this end and died before it had cleaned up.
        if (view.state === 'logged_out') await openCredentials({ ...core, fence, cipher }, sessionId).clear()
        await records.unmarkStarted(sessionId)
      }
      void deps.opener.run(known, { open: openOne, signal: ended }).then(() => (settled = true))
    },

    ready(sessionId) {
      const session = sessions.get(sessionId)
      const answer = session === undefined || isFinal(session.state()) || session.open() !== undefined
      // It is asked for a session that has a job to do.
      if (!answer) deps.opener.hurry(sessionId)
      return answer
    },

    onChange: listener => void listeners.push(listener),

    async run(job, signal, turn = ALONE) {
      if (job.name === 'START_SESSION') return start(job)
      if (job.name === 'STOP_SESSION') return stop(job)
      if (job.name === 'DELETE_SESSION') return remove(job)
      return runHandler(job, signal, turn)
    },

    async close() {
      closing.abort()
      await Promise.all([...sessions.values()].map(session => session.close()))
    },

    settled: () => settled,

    states() {
      const counts: Partial<Record<SessionState, number>> = {}
      for (const session of sessions.values()) {
        const state = session.state()
        if (!isFinal(state)) counts[state] = (counts[state] ?? 0) + 1
      }
      return counts
    },
  }
}

function notFound(): JobFailure {
  return new JobFailure('SESSION_NOT_FOUND', 'there is no such session')
}
