import type { ShownQr } from './qr.ts'

/** What became of a scan. */
export type Scanned = { ok: true; phone: string } | { ok: false; reason: string }

/** Lets the simulator's phone scan a QR, as a person would with theirs. */
export async function scan(simulatorUrl: string, { text }: ShownQr): Promise<Scanned> {
  try {
    const response = await fetch(`${simulatorUrl}/scan`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ qr: text }),
    })
    const body = (await response.json()) as { phone?: string; message?: string }
    return response.ok ? { ok: true, phone: body.phone ?? 'a new number' } : { ok: false, reason: body.message ?? '' }
  } catch (error) {
    return { ok: false, reason: String(error) }
  }
}
