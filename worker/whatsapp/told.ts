import { isJidNewsletter, isJidStatusBroadcast } from '@whiskeysockets/baileys'
import type { Told } from '../../shared/events.ts'

/** What is told of a session; asked when its first socket opens. */
export type ToldOf = (sessionId: string) => Told

/** Whether messages of this chat are told. */
export function isChatTold(told: Told, chat: string | null | undefined): boolean {
  if (isJidStatusBroadcast(chat ?? '')) return told.has('status')
  return isJidNewsletter(chat ?? '') === true ? told.has('channels') : true
}
