import { createHash } from 'node:crypto'
import { createSimulatorClient } from '../simulator/client.ts'
import type { ShownQr } from './qr.ts'

/** What became of a scan. */
export type Scanned = { ok: true; phone: string } | { ok: false; reason: string }

/** Lets one of the simulator's phones scan a QR, as a person would with theirs. */
export async function scan(simulatorUrl: string, { sessionId, text }: ShownQr): Promise<Scanned> {
  try {
    const { phone } = await createSimulatorClient(simulatorUrl).scan(text, phoneOf(sessionId))
    return { ok: true, phone }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

/** A session's number, the same in every run: a new session must not be given the number of one that is stopped. */
export function phoneOf(sessionId: string): string {
  const digest = createHash('sha256').update(sessionId).digest()
  return `62811${String(digest.readUInt32BE(0) % 10 ** 8).padStart(8, '0')}`
}
