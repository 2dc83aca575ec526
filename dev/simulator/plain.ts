import { normalizeMessageContent, proto } from '@whiskeysockets/baileys'

/** A message as protobuf JSON: bytes in base64, long numbers as text. */
export function plainOf(message: proto.IMessage): Record<string, unknown> {
  return proto.Message.fromObject(message).toJSON()
}

/** The text that a person reads: body, caption or poll name. */
export function textIn(message: proto.IMessage): string | undefined {
  const content = normalizeMessageContent(message)
  const media = content?.imageMessage ?? content?.videoMessage ?? content?.documentMessage
  const poll = content?.pollCreationMessage ?? content?.pollCreationMessageV2 ?? content?.pollCreationMessageV3
  const found =
    content?.conversation ??
    content?.extendedTextMessage?.text ??
    media?.caption ??
    poll?.name ??
    content?.reactionMessage?.text
  return found ?? undefined
}
