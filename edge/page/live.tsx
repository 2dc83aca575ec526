import { raw } from 'hono/html'
import type { SessionState, SessionView } from '../../shared/session.ts'
import type { JobStatus } from '../jobs/find.ts'
import { qrSvg } from '../qr/render.ts'

type Tone = 'good' | 'busy' | 'bad' | ''

const STATES: Record<SessionState, { label: string; tone: Tone; text: string }> = {
  pairing: { label: 'Waiting for your phone', tone: 'busy', text: '' },
  connecting: { label: 'Connecting', tone: 'busy', text: 'Talking to WhatsApp.' },
  open: { label: 'Connected', tone: 'good', text: 'This account is linked and ready to send.' },
  backoff: { label: 'Reconnecting', tone: 'busy', text: 'The connection was lost. Jobs wait and go out in order.' },
  replaced: { label: 'Replaced', tone: 'bad', text: 'Another client took this device over. Start it to take it back.' },
  logged_out: { label: 'Logged out', tone: 'bad', text: 'WhatsApp unlinked this device. Start it to link it again.' },
  stopped: { label: 'Stopped', tone: '', text: 'Not connected. Start it to connect.' },
}

const ABSENT = { label: 'Not started', tone: '' as Tone, text: 'No worker has started this session yet.' }

/** States that only a new START_SESSION ends. */
const STARTABLE = new Set<SessionState>(['replaced', 'logged_out', 'stopped'])

/** The part of a session's page that is kept fresh. */
export function Live({ sessionId, view, job }: { sessionId: string; view?: SessionView; job?: JobStatus }) {
  const { label, tone, text } = view === undefined ? ABSENT : STATES[view.state]
  const { qr, pairingCode } = view ?? {}
  return (
    <>
      <div class="title">
        <h1>{sessionId}</h1>
        <span class={`pill ${tone}`} role="status">
          {label}
        </span>
      </div>
      {text !== '' && <p>{text}</p>}
      {pairingCode !== undefined && <PairingCode code={pairingCode} />}
      {qr !== undefined && <Qr text={qr} />}
      {view !== undefined && <Facts view={view} />}
      {(view === undefined || STARTABLE.has(view.state)) && <Start sessionId={sessionId} />}
      {job !== undefined && <Job job={job} />}
    </>
  )
}

function Start({ sessionId }: { sessionId: string }) {
  return (
    <form method="post" action="/sessions">
      <input type="hidden" name="sessionId" value={sessionId} />
      <button>Start session</button>
    </form>
  )
}

function Qr({ text }: { text: string }) {
  return (
    <>
      <div class="qr" role="img" aria-label="QR code to link this session">
        {raw(qrSvg(text))}
      </div>
      <ol>
        <li>Open WhatsApp on your phone.</li>
        <li>Settings or menu, then Linked devices, then Link a device.</li>
        <li>Point the camera here. The code renews itself.</li>
      </ol>
    </>
  )
}

function PairingCode({ code }: { code: string }) {
  return (
    <>
      <output class="code">{code.replace(/^(.{4})(.{4})$/, '$1-$2')}</output>
      <ol>
        <li>Open WhatsApp on your phone.</li>
        <li>Linked devices, Link a device, then Link with phone number instead.</li>
        <li>Enter this code.</li>
      </ol>
    </>
  )
}

function Facts({ view: { pushName, jid, lastDisconnect, state, inboundPausedSince } }: { view: SessionView }) {
  const number = /^(\d+)(?::\d+)?@s\.whatsapp\.net$/.exec(jid ?? '')?.[1]
  const showsDisconnect = lastDisconnect !== undefined && state !== 'open' && state !== 'pairing'
  const isPaused = inboundPausedSince !== undefined
  if (pushName === undefined && jid === undefined && !showsDisconnect && !isPaused) return null
  return (
    <dl>
      {pushName !== undefined && <Fact name="Name" value={pushName} />}
      {jid !== undefined && <Fact name="Number" value={number === undefined ? jid : `+${number}`} />}
      {isPaused && <Fact name="Incoming messages" value="wait at WhatsApp until the webhook receiver takes events" />}
      {showsDisconnect && (
        <Fact
          name="Last disconnect"
          value={[`${lastDisconnect.reason} (${lastDisconnect.statusCode})`, lastDisconnect.message]
            .filter(Boolean)
            .join(': ')}
        />
      )}
    </dl>
  )
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  )
}

const JOB_TONES: Record<JobStatus['state'], Tone> = {
  waiting: 'busy',
  active: 'busy',
  delayed: 'busy',
  completed: 'good',
  failed: 'bad',
}

function Job({ job: { id, state, error } }: { job: JobStatus }) {
  return (
    <div class={`notice ${JOB_TONES[state]}`} role="status">
      {state === 'completed' ? 'Message sent: WhatsApp has it.' : `Job ${id} is ${state}.`}
      {error !== undefined && ` ${error.code}${error.message === '' ? '' : `: ${error.message}`}`}
    </div>
  )
}
