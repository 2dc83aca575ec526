import type { MiddlewareHandler } from 'hono'
import type { ApiKeys } from './api-keys.ts'
import { Problem } from './problem.ts'
import type { Variables } from './context.ts'

/** Lets a request through that carries an API key, as `Authorization: Bearer <key>` or `x-api-key: <key>`. */
export function requireKey(apiKeys: ApiKeys): MiddlewareHandler<{ Variables: Variables }> {
  return async (context, next) => {
    const candidate = readKey(context.req.header('authorization'), context.req.header('x-api-key'))
    const digest = candidate === undefined ? undefined : await apiKeys.check(candidate)
    if (digest === undefined) {
      const detail = 'send an API key as `Authorization: Bearer <key>` or `x-api-key: <key>`'
      throw new Problem('UNAUTHORIZED', { detail, headers: { 'www-authenticate': 'Bearer realm="kurir"' } })
    }
    context.set('apiKeyDigest', digest)
    await next()
  }
}

function readKey(authorization: string | undefined, apiKey: string | undefined): string | undefined {
  return authorization === undefined ? apiKey : /^Bearer +(\S+) *$/i.exec(authorization)?.[1]
}
