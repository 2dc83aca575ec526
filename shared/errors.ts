/**
 * The closed set of error codes, used in HTTP problems, in failed jobs and in session views.
 * A code is part of the public interface: it is never renamed or given another meaning.
 */

/** What can be wrong with one field of a job. Stands in `errors[].code` of a validation problem. */
export const FIELD_CODES = [
  'UNKNOWN_JOB',
  'MISSING_FIELD',
  'INVALID_FIELD',
  'UNKNOWN_FIELD',
  'INVALID_SESSION_ID',
  'INVALID_JID',
  'INVALID_PHONE_NUMBER',
  'EMPTY_TEXT',
  'TEXT_TOO_LONG',
  'POLL_TOO_FEW_OPTIONS',
  'POLL_TOO_MANY_OPTIONS',
  'POLL_DUPLICATE_OPTION',
  'POLL_SELECTABLE_COUNT',
  'INVALID_MEDIA',
  'MEDIA_TOO_LARGE',
  'NO_AUTHOR',
  'OTHER_CHAT',
  'NOT_AN_EMOJI',
  'NO_CONTACTS',
  'TOO_MANY_CONTACTS',
  'NO_PARTICIPANTS',
  'TOO_MANY_PARTICIPANTS',
  'INVALID_JOB_OPTION',
  'TOO_DEEP',
  'BROKEN_TEXT',
] as const

/** One of {@link FIELD_CODES}. */
export type FieldCode = (typeof FIELD_CODES)[number]

/** Problems the HTTP API answers with, and the status of each. */
export const HTTP_STATUS = {
  INVALID_JSON: 400,
  INVALID_REQUEST: 400,
  IDEMPOTENCY_KEY_INVALID: 400,
  UNAUTHORIZED: 401,
  CROSS_SITE_REQUEST: 403,
  NOT_FOUND: 404,
  SESSION_NOT_FOUND: 404,
  JOB_NOT_FOUND: 404,
  QR_NOT_AVAILABLE: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  JOB_ID_REUSED: 409,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  IDEMPOTENCY_KEY_REUSED: 422,
  INTERNAL: 500,
  MISCONFIGURED: 500,
  REDIS_UNAVAILABLE: 503,
  REDIS_FULL: 503,
  REDIS_QUOTA_EXCEEDED: 503,
} as const satisfies Record<string, number>

/** A code of the HTTP API. */
export type HttpCode = keyof typeof HTTP_STATUS

/** Why a job failed. Stands at the start of BullMQ's `failedReason` and in the job's status. */
export const JOB_CODES = [
  'INVALID_JOB',
  'JOB_TOO_LARGE',
  'SESSION_NOT_FOUND',
  'SESSION_STOPPED',
  'SESSION_LOGGED_OUT',
  'SESSION_REPLACED',
  'PAIRING_ENDED',
  'JOB_EXPIRED',
  'ACK_TIMEOUT',
  'WHATSAPP_REFUSED',
  'NOT_ON_WHATSAPP',
  'NOT_IN_GROUP',
  'MEDIA_FETCH_FAILED',
  'MEDIA_HOST_FORBIDDEN',
  'MEDIA_TOO_LARGE',
  'MEDIA_UNREADABLE',
  'MEDIA_UNSUPPORTED',
  'CREDENTIALS_UNREADABLE',
  'CRASHED_TOO_OFTEN',
  'CONNECTION_ENDED_AT_SEND',
  'EVENT_NOT_PARKED',
  'INTERNAL',
] as const

/** One of {@link JOB_CODES}. */
export type JobCode = (typeof JOB_CODES)[number]
