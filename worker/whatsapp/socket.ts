import { initAuthCreds, jidNormalizedUser, makeWASocket, type AuthenticationCreds } from '@whiskeysockets/baileys'
import type { Logger } from 'pino'
import { trustRootKey } from '../baileys/process/root-key.ts'
import { socketKeys } from '../baileys/signal/socket-keys.ts'
import { writeAhead } from '../baileys/signal/write-ahead.ts'
import { closeInTime } from '../baileys/socket/close-in-time.ts'
import { limitHandshake } from '../baileys/socket/handshake-limit.ts'
import { containListeners } from '../baileys/socket/listener-guard.ts'
import { limitQueries } from '../baileys/socket/query-limit.ts'
import { rawSocketOf } from '../baileys/socket/raw-socket.ts'
import { lightenRetries } from '../baileys/socket/retry-memory.ts'
import { guardWrites, type GatedSocket } from '../baileys/socket/writes.ts'
import type { Credentials } from '../credentials/store.ts'
import type { Fence } from '../ownership/fence.ts'
import { baileysLog } from './baileys-log.ts'
import { readDisconnect, type Disconnect } from './disconnect.ts'
import { configOf, type ConfigParts, type SocketSettings } from './socket-config.ts'

/** Who a session is. */
export interface Identity {
  jid: string
  lid?: string
  pushName?: string
}

/** What happens to a socket. Nothing is called after `closed`, nor after `end` or `kill`. */
export interface SocketListener {
  /** A QR to scan; each replaces the one before. */
  qr(text: string): void
  /** The phone has accepted this device; WhatsApp closes with 515 next. */
  paired(): void
  opened(me: Identity): void
  renamed(pushName: string): void
  /** Nothing can be written any more; `closed` follows. */
  lost(): void
  /** Called once, when the creds that were changed are stored. */
  closed(end: Disconnect): void
}

/** What one socket is made of. */
export interface SocketOptions extends ConfigParts {
  /** Of a linked session; without them a new device asks to be linked. */
  creds: AuthenticationCreds | undefined
  credentials: Credentials
  fence: Fence
  listener: SocketListener
}

/** A socket that is connecting or connected. */
export interface LiveSocket extends GatedSocket {
  /** Closes in order, within a second or so. Resolves when nothing of it is left. */
  end(): Promise<void>
  /** Cuts the connection at once. */
  kill(): void
  /** Unlinks this device from the account. Rejects when WhatsApp does not confirm in time. */
  logout(timeoutMs: number): Promise<void>
  /** Asks for a pairing code instead of the QR; `phoneNumber` is digits with country code. */
  pairingCode(phoneNumber: string): Promise<string>
}

/** Opens sockets; the only maker of them. */
export interface Sockets {
  open(options: SocketOptions): LiveSocket
}

/** Makes the maker of sockets. What is replaced of Baileys in the whole process is in place before, see `installPatches`. */
export function createSockets(settings: SocketSettings, log: Logger): Sockets {
  if (settings.noiseRootKey !== undefined && isLoopback(settings.url)) trustRootKey(settings.noiseRootKey)
  return { open: options => openSocket(settings, log, options) }
}

function openSocket(settings: SocketSettings, log: Logger, options: SocketOptions): LiveSocket {
  const { credentials, listener } = options
  // An attempt at linking leaves its phone number in the creds, with which the next would log in and be refused.
  const creds = options.creds ?? initAuthCreds()
  let quiet = false
  let unstored = false
  let saving: Promise<void> = Promise.resolve()
  const keys = socketKeys(credentials, () => gate.hold(), onUnstored)

  const sock = makeWASocket({
    ...configOf(settings, options),
    auth: { creds, keys },
    logger: baileysLog(log),
    makeSignalRepository: writeAhead(keys, settings.dataSince),
  })
  lightenRetries(sock)
  const raw = rawSocketOf(sock)
  const gate = guardWrites(raw, options.fence)
  closeInTime(raw, () => {
    if (!quiet) listener.lost()
  })

  containListeners(sock.ws, (event, error) => {
    log.debug(
      { event: nameOf(event), error: error instanceof Error ? error.name : 'unknown' },
      'a stanza was not handled',
    )
    // A frame that cannot be read leaves the cipher out of step: nothing after it can be read either.
    if (event === 'message') void sock.end(error instanceof Error ? error : undefined)
  })

  limitHandshake(sock, settings.handshakeMs)
  limitQueries(sock)

  function onUnstored(error: unknown): void {
    if (unstored) return
    unstored = true
    log.warn(
      { error: error instanceof Error ? error.name : 'unknown' },
      'a socket ends because its keys cannot be stored',
    )
    void sock.end(error instanceof Error ? error : undefined)
  }

  sock.ev.on('creds.update', update => {
    // Until the phone has accepted us there is nothing worth keeping: a new attempt has new keys.
    if (creds.account === undefined) return
    saving = credentials.saveCreds(creds)
    saving.catch(onUnstored)
    if (!quiet && update.me?.name !== undefined) listener.renamed(update.me.name)
  })

  sock.ev.on('connection.update', update => {
    if (quiet) return
    if (update.qr !== undefined) listener.qr(update.qr)
    if (update.isNewLogin === true) listener.paired()
    if (update.connection === 'open') listener.opened(identityOf(creds))
    if (update.connection === 'close') {
      quiet = true
      const end = readDisconnect(update.lastDisconnect?.error)
      if (end.reason === 'handshake_refused') {
        log.warn('the server cannot prove that it is whatsapp: check WA_WEBSOCKET_URL and WA_NOISE_ROOT_KEY')
      }
      // A reconnect reads what this socket has learnt, so that must be stored first.
      void saving.catch(() => undefined).then(() => listener.closed(end))
    }
  })

  return {
    sock,
    gate,
    holdKeys: whole => credentials.hold(whole),
    async end() {
      quiet = true
      await sock.end(undefined)
      await saving.catch(() => undefined)
    },
    kill() {
      quiet = true
      raw.socket?.terminate()
      void sock.end(undefined)
    },
    async logout(timeoutMs) {
      const jid = creds.me?.id
      if (jid === undefined) return
      const companion = { tag: 'remove-companion-device', attrs: { jid, reason: 'user_initiated' } }
      const attrs = { to: 's.whatsapp.net', type: 'set', xmlns: 'md', id: sock.generateMessageTag() }
      // Baileys' own logout() does not wait for the answer, and closes before the request may have left.
      const answer: unknown = await sock.query({ tag: 'iq', attrs, content: [companion] }, timeoutMs)
      if (answer === undefined) throw new Error('WhatsApp did not confirm the logout in time')
    },
    pairingCode: phoneNumber => sock.requestPairingCode(phoneNumber),
  }
}

function identityOf({ me }: AuthenticationCreds): Identity {
  return {
    jid: jidNormalizedUser(me?.id),
    ...(me?.lid !== undefined && { lid: jidNormalizedUser(me.lid) }),
    ...(me?.name !== undefined && { pushName: me.name }),
  }
}

/** An event without the values of attributes, which are ids and jids. */
function nameOf(event: string): string {
  return event.replaceAll(/:[^:,]*\d[^:,]*/g, '')
}

function isLoopback(url: string | undefined): boolean {
  if (url === undefined) return false
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname)
}
