/**
 * The field of a BullMQ job's hash that holds the id of its session, or nothing when its data names none. Scripts go by
 * it and never parse data: Lua's reader of JSON refuses what JavaScript's takes. The edge writes it with the job, and the
 * worker gives it to jobs of other producers before it matters.
 */
export const SESSION_FIELD = 'kurir:session'

/** The field of what a forwarded job leaves behind in the queue that it was put into: its id where it is now. */
export const FORWARDED_FIELD = 'kurir:forwarded'

/** The field of a job that holds how often it is blamed for the end of its session's connection. */
export const CLOSINGS_FIELD = 'kurir:closings'

/** The field of a job whose caller named it: the digest of what was posted under the id, to tell a repeat from another. */
export const DIGEST_FIELD = 'kurir:digest'

/**
 * Every Redis key of ours, in one place. BullMQ's own keys are `bull:<queue>:*` and are known to the edge's producer
 * and to the worker's queue code alone.
 */
export const keys = {
  /** String: the deployment's number of partitions. A process that disagrees refuses to start. */
  partitions: 'kurir:partitions',
  /**
   * Sorted set of workers: member worker id, score the time in ms at which its listing ends. Each writes its own alone, and
   * knows by it whether Redis still has what it had. Those that have ended are kept for an hour.
   */
  workers: 'kurir:workers',
  /**
   * String, ms: when the data of this Redis began, or were last found to have gone back to an older copy. Job ids and
   * `kurir-seq` repeat none of the same generation. Whoever puts a copy back while no worker runs deletes it.
   */
  generation: 'kurir:generation',
  /** JSON: the `version` of WhatsApp Web that was found last, three numbers, and `at` which time in ms. */
  webVersion: 'kurir:web-version',
  /** String `<workerId>:<epoch>` with a TTL: who owns the partition now. */
  lease: (partition: number | '') => `kurir:lease:${partition}`,
  /** Counter: the fencing number of the partition's newest lease. */
  epoch: (partition: number) => `kurir:epoch:${partition}`,
  /** Set of session ids that were started and not stopped: what an owner restores. */
  started: (partition: number) => `kurir:started:${partition}`,
  /** Set of session ids that have jobs parked in their lane. */
  parked: (partition: number) => `kurir:parked:${partition}`,
  /** List of `<ms> <reason> <id>`, newest first, with a TTL: what stood in the queue and could not be read or ended. */
  aside: (partition: number) => `kurir:aside:${partition}`,
  /** What stood under one of the queue's keys and was of a type that the key cannot have, with a TTL. */
  asideKey: (partition: number, name: string) => `kurir:aside:${partition}:${name}`,
  /** Sorted set that is empty but while a script runs: prioritized jobs that have just become due. */
  due: (partition: number) => `kurir:due:${partition}`,
  /** Sorted set: member session id, score the time in ms of the next delivery attempt of its oldest undelivered event. */
  undelivered: (partition: number) => `kurir:undelivered:${partition}`,
  /** Hash: {@link SessionView} in strings, read by the edge. */
  session: (sessionId: string) => `kurir:session:${sessionId}`,
  /** Hash: credentials and Signal keys, field `<type>` or `<type>.<HMAC of the id>`, each value encrypted; 32 pre-keys to a field. */
  credentials: (sessionId: string) => `kurir:credentials:${sessionId}`,
  /** List of job ids, oldest first: jobs taken from the queue that wait for their session. */
  lane: (sessionId: string) => `kurir:lane:${sessionId}`,
  /** List of those of the ids in {@link keys.lane} that are START, STOP or DELETE, which may overtake. */
  laneControls: (sessionId: string) => `kurir:lane-controls:${sessionId}`,
  /** Stream of events, entry id `<seq>-0`. */
  outbox: (sessionId: string) => `kurir:outbox:${sessionId}`,
  /** Hash: the outbox's `seq`, `cursor` (last seq that needs no more delivery), `attempt`, and so on. */
  cursor: (sessionId: string) => `kurir:cursor:${sessionId}`,
  /** Hash, seq to JSON: events that were given up after days of attempts, until a person has them sent again. */
  poison: (sessionId: string) => `kurir:poison:${sessionId}`,
  /** List of digests, newest first: the messages from WhatsApp that were appended last, to know them when they come again. */
  received: (sessionId: string) => `kurir:received:${sessionId}`,
  /** Hash, message id to encrypted secret by kind (`ours`, `polls`, `messages`); the empty field counts the bytes. */
  secrets: (sessionId: string, kind: string) => `kurir:secrets:${sessionId}:${kind}`,
  /** Sorted set of the ids in {@link keys.secrets}, by the time in ms at which they were kept. */
  secretTimes: (sessionId: string, kind: string) => `kurir:secret-times:${sessionId}:${kind}`,
  /** Hash, name of a message to JSON: those that could not be decrypted and were asked for again. */
  unread: (sessionId: string) => `kurir:unread:${sessionId}`,
  /** Hash, message id to encrypted content: what a recipient that asks for a retry is sent again. */
  sent: (sessionId: string) => `kurir:sent:${sessionId}`,
  /** Sorted set of the ids in {@link keys.sent}, by time kept in ms. */
  sentTimes: (sessionId: string) => `kurir:sent-times:${sessionId}`,
  /** Hash with a TTL: how a finished job ended. BullMQ itself forgets completed jobs. */
  receipt: (queue: string, jobId: string) => `kurir:receipt:${queue}:${jobId}`,
  /** Sorted set of a session's receipts, by the time in ms at which they expire; DELETE_SESSION removes them by it. */
  receipts: (sessionId: string) => `kurir:receipts:${sessionId}`,
  /**
   * Sorted set of the sessions that were deleted of late, by the time in ms until which that is remembered: jobs that
   * still come to their end for one of them are not kept by BullMQ, unless it was started again. One set for all, since
   * a deleted session leaves no key of its own.
   */
  deleted: 'kurir:deleted',
  /** Hash: the `state` of the webhook endpoint, `up`, `down` or `disabled`, and `since` when, in ms. */
  endpoint: 'kurir:endpoint',
  /** String with a TTL: the digest of what was posted under an id that its caller chose; it outlives the job. */
  jobId: (storedId: string) => `kurir:job-id:${storedId}`,
  /** String with a TTL: what a post with this Idempotency-Key was answered. `digest` is of API key and header. */
  idempotency: (digest: string) => `kurir:idempotency:${digest}`,
} as const
