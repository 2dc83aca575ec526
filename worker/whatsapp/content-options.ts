import type { MessageContentGenerationOptions } from '@whiskeysockets/baileys'
import type { SendContext } from './send.ts'

/** Longest upload of one file to one of WhatsApp's media hosts; Baileys itself would wait for ever. */
const UPLOAD_TIMEOUT_MS = 180_000

/** What Baileys needs to make content. It makes no link previews without `getUrlInfo`, which is left out on purpose. */
export function contentOptions({ sock }: SendContext, jid: string): MessageContentGenerationOptions {
  return { jid, upload: sock.waUploadToServer, mediaUploadTimeoutMs: UPLOAD_TIMEOUT_MS }
}
