import type { MiddlewareHandler } from 'hono'
import type { Variables } from './context.ts'

/** Of every answer. Each header costs CPU time in the runtime and in each proxy, so the API's answers have no more. */
const API_HEADERS = Object.entries({
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
})

/** Of pages: only our own scripts, styles, forms and requests, and no frames. */
const PAGE_HEADERS = Object.entries({
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  // Not `no-referrer`: browsers would then send `Origin: null` with our own forms, and we could not tell them apart.
  'referrer-policy': 'same-origin',
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
})

const REQUEST_ID = /^[\w.-]{1,64}$/

/**
 * Headers of every answer, errors included: its request's id (the client's own, if it sent a plain one), and those that
 * keep it from being cached, framed, sniffed or given foreign scripts. They are set on the finished answer: headers that
 * hono collects beforehand are lost when a route throws, and are copied one by one otherwise.
 */
export const standardHeaders: MiddlewareHandler<{ Variables: Variables }> = async (context, next) => {
  const given = context.req.header('x-request-id')
  const requestId = given !== undefined && REQUEST_ID.test(given) ? given : crypto.randomUUID()
  context.set('requestId', requestId)
  await next()
  const { headers } = context.res
  const isPage = headers.get('content-type')?.startsWith('text/html') ?? false
  for (const [name, value] of isPage ? PAGE_HEADERS : API_HEADERS) headers.set(name, value)
  headers.set('x-request-id', requestId)
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
}
