/** Stands in neither a session id nor an id that a caller may give. */
const BETWEEN = '~'

/**
 * The id in the queue of a job whose caller named it: ids are the session's, while a queue serves many sessions. All else
 * that names the job to the caller has the caller's own id.
 */
export function storedIdOf(sessionId: string, jobId: string): string {
  return `${sessionId}${BETWEEN}${jobId}`
}

/** The id by which a session's caller knows a job of this id in the queue. */
export function ownIdOf(sessionId: string, storedId: string): string {
  const prefix = `${sessionId}${BETWEEN}`
  return storedId.startsWith(prefix) ? storedId.slice(prefix.length) : storedId
}
