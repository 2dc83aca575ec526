import { createHmac } from 'node:crypto'

/** What names a job for ever: its session, its id, and when it was added (ids of a queue may start anew). */
export interface JobIdentity {
  sessionId: string
  id: string
  /** ms. */
  createdAt: number
}

/** What is used of a session's creds. */
export interface IdSecret {
  noiseKey: { private: Uint8Array }
}

/**
 * The WhatsApp message id of a job. Every run of the job, on any worker, has the same one, so that a repeat cannot be
 * a second message. It looks like the ids that Baileys makes (`3EB0` and 18 hexadecimal digits), because WhatsApp may
 * tell clients by their ids.
 *
 * It is an HMAC, since session ids, job ids and times can be guessed: a recipient that could compute the ids of what was
 * sent to others could ask for them. The secret is the session's Noise key, which lives as long as the link does, is
 * stored encrypted, and never leaves the worker.
 */
export function messageIdOf({ noiseKey }: IdSecret, { sessionId, id, createdAt }: JobIdentity): string {
  const digest = createHmac('sha256', noiseKey.private)
    .update('kurir message id')
    .update(JSON.stringify([sessionId, id, createdAt]))
    .digest('hex')
  return `3EB0${digest.slice(0, 18).toUpperCase()}`
}
