import * as z from 'zod'

/** What can be changed while the simulator runs (`POST /settings`). */
export const settingsSchema = z.object({
  /** What contacts answer to a message they could read. */
  receipts: z.enum(['none', 'delivery', 'read']).default('delivery'),
  /** Milliseconds between a message and its ack. */
  ackDelayMs: z.int().min(0).max(600_000).default(0),
  /** Milliseconds between an ack and the receipts. */
  receiptDelayMs: z.int().min(0).max(600_000).default(0),
  /**
   * Milliseconds to the server and back, half of them for each frame. The first frame takes three times as long more: that
   * is what TCP, TLS and the upgrade take before the socket is there.
   */
  awayMs: z.int().min(0).max(10_000).default(0),
  /** Clients of an older revision of WhatsApp Web are refused with 405. */
  leastRevision: z.int().min(0).default(0),
  /** Messages to the number of a contact that has a LID are refused with 463, as WhatsApp does where a chat has moved. */
  lidOnly: z.boolean().default(false),
  /** Whether a client that says it is linked is believed, although it was linked to an earlier run. */
  adopt: z.boolean().default(false),
})

export type Settings = z.infer<typeof settingsSchema>
