import { randomBytes } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { proto } from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { deliver } from './delivery.ts'
import { encryptFor, messageId } from './envelope.ts'
import { node, seconds } from './nodes.ts'
import { pnJid, type Device } from './world.ts'

const ProtocolTypes = proto.Message.ProtocolMessage.Type

/**
 * What a phone sends to a device that it has just linked: a key for app state and its (empty) history. Without it
 * Baileys holds its events back for 20 s.
 */
export function sendFirstSync(context: Context, device: Device): void {
  if (device.historySent) return
  device.historySent = true
  const { name } = device.account
  sendPeer(context, device, {
    type: ProtocolTypes.APP_STATE_SYNC_KEY_SHARE,
    appStateSyncKeyShare: {
      keys: [
        {
          keyId: { keyId: randomBytes(6) },
          keyData: { keyData: randomBytes(32), fingerprint: { rawId: 1, currentIndex: 0 }, timestamp: Date.now() },
        },
      ],
    },
  })
  const pushnames = [{ id: pnJid(device.account), pushname: name }]
  sendHistory(context, device, { conversations: [] }, 'INITIAL_BOOTSTRAP')
  sendHistory(context, device, { pushnames }, 'PUSH_NAME')
  sendHistory(context, device, { conversations: [] }, 'RECENT')
}

function sendHistory(
  context: Context,
  device: Device,
  history: Partial<proto.IHistorySync>,
  kind: 'INITIAL_BOOTSTRAP' | 'PUSH_NAME' | 'RECENT',
): void {
  const content = { ...history, syncType: proto.HistorySync.HistorySyncType[kind], progress: 100 }
  sendPeer(context, device, {
    type: ProtocolTypes.HISTORY_SYNC_NOTIFICATION,
    historySyncNotification: {
      syncType: proto.Message.HistorySyncType[kind],
      progress: 100,
      chunkOrder: 1,
      initialHistBootstrapInlinePayload: deflateSync(proto.HistorySync.encode(content).finish()),
    },
  })
}

function sendPeer(context: Context, device: Device, protocolMessage: proto.Message.IProtocolMessage): void {
  const enc = encryptFor(context, device.account.party, device, { protocolMessage })
  const attrs = { id: messageId(), from: pnJid(device.account), t: seconds(), type: 'text', category: 'peer' }
  deliver(context, device, node('message', attrs, [enc]))
}
