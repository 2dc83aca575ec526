import * as z from 'zod'
import { readJson } from './json.ts'

/** Where a session is in its life. See worker/sessions for the table of transitions. */
export const SESSION_STATES = ['pairing', 'connecting', 'open', 'backoff', 'replaced', 'logged_out', 'stopped'] as const

/** One of {@link SESSION_STATES}. */
export type SessionState = (typeof SESSION_STATES)[number]

/** Why the last connection ended: WhatsApp's or Baileys' status code, our word for it, and whether we reconnect. */
export const lastDisconnect = z.object({
  statusCode: z.number().int(),
  reason: z.string(),
  willReconnect: z.boolean(),
  /** What a person can do, where there is something. */
  message: z.string().optional(),
})

/** See {@link lastDisconnect}. */
export type LastDisconnect = z.infer<typeof lastDisconnect>

/**
 * What the edge shows of a session. Kept in Redis as a hash of strings (`lastDisconnect` as JSON, times in ms);
 * an absent field is absent in the hash.
 */
export const sessionView = z.object({
  state: z.enum(SESSION_STATES),
  jid: z.string().optional(),
  lid: z.string().optional(),
  pushName: z.string().optional(),
  qr: z.string().optional(),
  pairingCode: z.string().optional(),
  lastDisconnect: lastDisconnect.optional(),
  /** In ms: since then its messages stay at WhatsApp, because too many events await delivery. */
  inboundPausedSince: z.number().int().optional(),
  updatedAt: z.number().int(),
})

/** See {@link sessionView}. */
export type SessionView = z.infer<typeof sessionView>

/**
 * Reads a session view from its Redis hash; undefined when there is no such session. Foreign fields are ignored, and so
 * is a `lastDisconnect` that cannot be read.
 */
export function readSessionView(hash: Record<string, string> | null): SessionView | undefined {
  if (hash === null || hash['state'] === undefined) return undefined
  const { lastDisconnect: last, updatedAt, inboundPausedSince: paused, ...rest } = hash
  const end = lastDisconnect.safeParse(readJson(last))
  const view = sessionView.safeParse({
    ...rest,
    updatedAt: Number(updatedAt ?? 0),
    ...(end.success && { lastDisconnect: end.data }),
    ...(paused !== undefined && { inboundPausedSince: Number(paused) }),
  })
  return view.success ? view.data : undefined
}

/** A session view as the fields of its Redis hash. */
export function writeSessionView(view: SessionView): Record<string, string> {
  const { lastDisconnect: last, updatedAt, inboundPausedSince: paused, ...rest } = view
  const fields: Record<string, string> = { updatedAt: String(updatedAt) }
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) fields[name] = value
  if (last !== undefined) fields['lastDisconnect'] = JSON.stringify(last)
  if (paused !== undefined) fields['inboundPausedSince'] = String(paused)
  return fields
}
