import { createHash } from 'node:crypto'

/** What names a job for ever: its session, its id, and when it was added (ids of a queue may start anew). */
export interface JobIdentity {
  sessionId: string
  id: string
  /** ms. */
  createdAt: number
}

/**
 * The WhatsApp message id of a job. Every run of the job, on any worker, has the same one, so that a repeat cannot be
 * a second message. It looks like the ids that Baileys makes (`3EB0` and 18 hexadecimal digits), because WhatsApp may
 * tell clients by their ids.
 */
export function messageIdOf({ sessionId, id, createdAt }: JobIdentity): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([sessionId, id, createdAt]))
    .digest('hex')
  return `3EB0${digest.slice(0, 18).toUpperCase()}`
}
