import type { Context } from 'hono'
import type { FieldError } from '../../shared/coded.ts'
import { HTTP_STATUS, type HttpCode } from '../../shared/errors.ts'
import { MAX_FIELD_ERRORS } from '../../shared/coded.ts'

/** What each code means, in a few words. */
export const TITLES: Record<HttpCode, string> = {
  INVALID_JSON: 'The body is not JSON',
  INVALID_REQUEST: 'The request does not fit the contract',
  IDEMPOTENCY_KEY_INVALID: 'The Idempotency-Key is malformed',
  UNAUTHORIZED: 'An API key is needed',
  CROSS_SITE_REQUEST: 'The form was sent from another site',
  NOT_FOUND: 'There is nothing here',
  SESSION_NOT_FOUND: 'There is no such session',
  JOB_NOT_FOUND: 'There is no such job',
  QR_NOT_AVAILABLE: 'The session shows no QR now',
  METHOD_NOT_ALLOWED: 'The method is not allowed here',
  NOT_ACCEPTABLE: 'None of the accepted media types can be given',
  JOB_ID_REUSED: 'The jobId was used for another job',
  BODY_TOO_LARGE: 'The body is too large',
  UNSUPPORTED_MEDIA_TYPE: 'The body has the wrong media type',
  IDEMPOTENCY_KEY_REUSED: 'The Idempotency-Key was used for another payload',
  INTERNAL: 'Something broke on our side',
  MISCONFIGURED: 'The gateway is not set up correctly',
  REDIS_UNAVAILABLE: 'The job store is not reachable',
  REDIS_FULL: 'The job store is full',
  REDIS_QUOTA_EXCEEDED: 'The plan of the job store is used up',
}

/** What a problem adds to its code. */
export interface ProblemDetails {
  /** A sentence for a person about this one occurrence. */
  detail?: string
  errors?: readonly FieldError[]
  headers?: Record<string, string>
}

/** An answer that is not the one that was asked for. Routes throw it; `onError` sends it. */
export class Problem extends Error {
  readonly code: HttpCode
  readonly details: ProblemDetails

  constructor(code: HttpCode, details: ProblemDetails = {}) {
    super(code)
    this.name = 'Problem'
    this.code = code
    this.details = details
  }
}

/** Answers with the problem as RFC 9457 writes it, with our stable `code`. */
export function sendProblem(context: Context, { code, details }: Problem): Response {
  const { detail, errors, headers } = details
  const body = {
    type: `urn:kurir:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title: TITLES[code],
    status: HTTP_STATUS[code],
    code,
    ...(detail !== undefined && { detail }),
    ...(errors !== undefined && { errors: errors.slice(0, MAX_FIELD_ERRORS) }),
  }
  return context.json(body, HTTP_STATUS[code], { ...headers, 'content-type': 'application/problem+json' })
}
