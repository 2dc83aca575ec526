import type { MiddlewareHandler } from 'hono'

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

/** Headers of every answer, errors included: nothing of ours is cached, framed, sniffed or given foreign scripts. */
export const securityHeaders: MiddlewareHandler = async (context, next) => {
  await next()
  const { headers } = context.res
  const isPage = headers.get('content-type')?.startsWith('text/html') ?? false
  for (const [name, value] of isPage ? PAGE_HEADERS : API_HEADERS) headers.set(name, value)
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
}
