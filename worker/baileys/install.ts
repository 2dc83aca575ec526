import type { Logger } from 'pino'
import { silenceConsole } from './process/console.ts'
import { undoFailedAttempts } from './process/failed-attempts.ts'
import { reuseRecords } from './process/reuse-records.ts'
import { checkedCurve, checkSignatures } from './process/signatures.ts'
import { wrapBufferKeys } from './process/wrap-keys.ts'
import { expectMembers, expectVersions, libsignal } from './vendors.ts'

/**
 * Puts in place what is replaced of Baileys and libsignal in this whole process; see README.md beside this file. Must run
 * before anything loads Baileys, whose modules bind libsignal's functions when they load; it loads Baileys itself, last.
 * Rejects with `VendorMismatch` when other versions are installed than those that this was made for, or a member that is
 * replaced here or on sockets is not there: a replacement that nobody calls would fail without a sign.
 */
export async function installPatches(log: Logger): Promise<void> {
  expectVersions()
  const { SessionCipher, SessionRecord, curve } = libsignal() as Record<string, { prototype?: object } | undefined>
  expectMembers({
    'SessionCipher of libsignal': [SessionCipher?.prototype, ['doDecryptWhisperMessage']],
    'SessionRecord of libsignal': [SessionRecord, ['deserialize']],
    'a SessionRecord of libsignal': [SessionRecord?.prototype, ['serialize']],
    'curve of libsignal': [curve, Object.keys(checkedCurve)],
  })
  silenceConsole(log)
  undoFailedAttempts()
  reuseRecords()
  checkSignatures()
  wrapBufferKeys()
  await expectSockets()
}

/** What is replaced on each socket, as far as classes tell. */
async function expectSockets(): Promise<void> {
  const { DEFAULT_CONNECTION_CONFIG, MessageRetryManager } = await import('@whiskeysockets/baileys')
  const { WebSocketClient } = await import('@whiskeysockets/baileys/lib/Socket/Client/index.js')
  const { makeMutex } = await import('@whiskeysockets/baileys/lib/Utils/make-mutex.js')
  expectMembers({
    'the configuration of Baileys': [DEFAULT_CONNECTION_CONFIG, ['makeSignalRepository']],
    'the retry manager of Baileys': [
      MessageRetryManager.prototype,
      ['addRecentMessage', 'cancelPendingPhoneRequest', 'markRetrySuccess', 'clear', 'hasExceededMaxRetries'],
    ],
    'the WebSocket client of Baileys': [WebSocketClient.prototype, ['isOpen', 'close', 'send']],
    'a mutex of Baileys': [makeMutex(), ['mutex']],
  })
}
