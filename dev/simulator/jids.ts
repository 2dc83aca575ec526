import { jidDecode } from '@whiskeysockets/baileys'

/** Phone numbers as WhatsApp writes them: digits only, country code first. */
export const PHONE_PATTERN = /^[1-9]\d{4,14}$/

/** A jid in parts; `device` 0 is the phone itself. */
export type ParsedJid = { readonly user: string; readonly server: string; readonly device: number }

/** Parses a jid, or gives undefined for anything else. */
export function parseJid(jid: string | undefined): ParsedJid | undefined {
  const decoded = jid ? jidDecode(jid) : undefined
  if (!decoded?.user || !decoded.server) return undefined
  const device = decoded.device ?? 0
  return Number.isInteger(device) ? { user: decoded.user, server: decoded.server, device } : undefined
}

export function userJid(user: string, server: 's.whatsapp.net' | 'lid', device = 0): string {
  return device === 0 ? `${user}@${server}` : `${user}:${device}@${server}`
}

export function isGroupJid(jid: string): boolean {
  return jid.endsWith('@g.us')
}
