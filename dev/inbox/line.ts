import type { OutboxEvent } from '../../shared/events.ts'
import type { Arrival } from './arrival.ts'

const PREVIEW_LENGTH = 60

/** An arrival as one line for a person: `demo #4 messages.upsert Budi: "Halo bot!"`. */
export function describe({ event, problem, seq, attempt, answered }: Arrival): string {
  const retry = attempt !== undefined && attempt > 1 ? ` (attempt ${attempt})` : ''
  const refused = answered >= 200 && answered < 300 ? '' : ` answered ${answered === 0 ? 'with a reset' : answered}`
  if (event === undefined) return `refused: ${plain(problem ?? 'unknown')}${retry}${refused}`
  return `${plain(event.sessionId)} #${seq ?? '?'} ${event.event} ${summary(event)}${retry}${refused}`
}

function summary(event: OutboxEvent): string {
  if (event.event === 'connection.update') {
    const { connection, qr, pairingCode, lastDisconnect } = event.data
    const why = lastDisconnect === undefined ? '' : ` ${preview(JSON.stringify(lastDisconnect))}`
    const code = typeof pairingCode === 'string' ? `, code to enter on the phone: ${plain(pairingCode)}` : ''
    return `${connection}${qr === undefined ? '' : ', QR to scan'}${code}${why}`
  }
  if (event.event === 'job.completed') return `${plain(event.data.name)} ${plain(event.data.jobId)}`
  if (event.event === 'job.failed') {
    const { name, jobId, error } = event.data
    return plain(`${name} ${jobId}: ${error.code} ${preview(error.message)}`)
  }
  if (event.event !== 'messages.upsert') return plain(preview(JSON.stringify(event.data)))
  return event.data.messages
    .map(({ key, message, pushName }) => `${pushName ?? key.remoteJid}: ${preview(textOf(message))}`)
    .map(plain)
    .join(' | ')
}

function textOf(message: Record<string, unknown> | undefined): string {
  if (message === undefined) return '(empty)'
  const extended = message['extendedTextMessage'] as { text?: unknown } | undefined
  const text = message['conversation'] ?? extended?.text
  return typeof text === 'string' ? JSON.stringify(text) : `(${Object.keys(message).join(', ')})`
}

function preview(text: string): string {
  return text.length > PREVIEW_LENGTH ? `${text.slice(0, PREVIEW_LENGTH)}…` : text
}

/** Without control characters: a message from WhatsApp must not be able to drive the terminal. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}|\p{Cf}/gu, '·')
}
