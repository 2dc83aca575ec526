import type { JobCode } from '../../shared/errors.ts'
import type { WebhookEvent } from '../../shared/events.ts'
import type { LastDisconnect, SessionState, SessionView } from '../../shared/session.ts'
import type { DisconnectWord } from '../whatsapp/disconnect.ts'
import type { Identity } from '../whatsapp/socket.ts'
import { isFinal, type Action, type Input } from './transition.ts'

/** What a person can do about a disconnect. */
const WHAT_TO_DO: Readonly<Partial<Record<DisconnectWord, string>>> = {
  client_outdated:
    'WhatsApp refuses this version of its web client. The current one is looked up; if this stays, update Kurir or set WA_VERSION.',
  forbidden: 'WhatsApp has locked this account. Open WhatsApp on the phone, which says why.',
  not_acceptable: 'WhatsApp refuses this account here. Open WhatsApp on the phone, which says why.',
  device_mismatch: 'This account is not set up for linked devices. Update WhatsApp on the phone.',
  handshake_refused:
    'The server cannot prove that it is WhatsApp. Look at WA_WEBSOCKET_URL, and at what stands between.',
  replaced: 'Another program uses this session. Stop it, then start the session again.',
}

/** What a state is shown with. */
export interface Shown {
  qr?: string
  pairingCode?: string
  identity?: Identity
  lastDisconnect?: LastDisconnect
}

/** The reason of a session whose credentials cannot be decrypted; such a session is tried again at each restart. */
export const UNREADABLE = 'credentials_unreadable'

/**
 * The view of a session that has just come into `state`. Who it is stays known until it is logged out; a QR or a code
 * is worth nothing after its moment, and the last disconnect nothing once the session is open.
 */
export function nextView(before: SessionView | undefined, state: SessionState, shown: Shown, now: number): SessionView {
  const known = state === 'logged_out' ? {} : pickIdentity(before)
  const last = state === 'open' ? undefined : (shown.lastDisconnect ?? before?.lastDisconnect)
  return {
    state,
    ...known,
    ...shown.identity,
    ...(shown.qr !== undefined && { qr: shown.qr }),
    ...(shown.pairingCode !== undefined && { pairingCode: shown.pairingCode }),
    ...(last !== undefined && { lastDisconnect: last }),
    updatedAt: now,
  }
}

/**
 * The contract's `connection.update` of a view. `pairingCode` is ours: it stands where the QR would. The disconnect of
 * a session that is connecting again belongs to the event before.
 */
export function connectionEvent(sessionId: string, view: SessionView): WebhookEvent {
  const { state, qr, pairingCode, lastDisconnect, updatedAt } = view
  const connection = state === 'open' ? 'open' : state === 'pairing' || state === 'connecting' ? 'connecting' : 'close'
  return {
    event: 'connection.update',
    sessionId,
    timestamp: Math.floor(updatedAt / 1000),
    data: {
      connection,
      ...(qr !== undefined && { qr }),
      ...(pairingCode !== undefined && { pairingCode }),
      ...(connection === 'close' && lastDisconnect !== undefined && { lastDisconnect }),
    },
  }
}

/** Why a job of a session in this view fails at once; undefined while the session is on its way or open. */
export function failureOf(view: SessionView | undefined): { code: JobCode; message: string } | undefined {
  if (view === undefined) return { code: 'SESSION_NOT_FOUND', message: 'there is no such session' }
  if (!isFinal(view.state)) return undefined
  const reason = view.lastDisconnect?.reason
  if (view.state === 'logged_out') return { code: 'SESSION_LOGGED_OUT', message: 'the phone has unlinked this session' }
  if (view.state === 'replaced') return { code: 'SESSION_REPLACED', message: 'another client uses this session' }
  if (reason === 'pairing_ended') return { code: 'PAIRING_ENDED', message: 'nobody linked the session in time' }
  if (reason === UNREADABLE) return { code: 'CREDENTIALS_UNREADABLE', message: 'no given key decrypts the credentials' }
  return { code: 'SESSION_STOPPED', message: 'the session is stopped' }
}

/** The last disconnect to show after this input. */
export function disconnectOf(input: Input, action: Action): Shown {
  // After a 515 the session is connecting again at once: nothing that anyone must know has happened.
  if (input.type !== 'closed' || action === 'connect') return {}
  const { statusCode, reason } = input.end
  const message = WHAT_TO_DO[reason]
  return { lastDisconnect: { statusCode, reason, willReconnect: action === 'wait', ...(message && { message }) } }
}

function pickIdentity(view: SessionView | undefined): Partial<Pick<SessionView, 'jid' | 'lid' | 'pushName'>> {
  return {
    ...(view?.jid !== undefined && { jid: view.jid }),
    ...(view?.lid !== undefined && { lid: view.lid }),
    ...(view?.pushName !== undefined && { pushName: view.pushName }),
  }
}
