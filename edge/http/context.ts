import type { Context } from 'hono'

/** What middleware leaves for routes. */
export interface Variables {
  requestId: string
  /** SHA-256 of the API key that the request carried, in hex. Set on routes with access `key`. */
  apiKeyDigest: string
}

/** The context of a request. */
export type RouteContext = Context<{ Variables: Variables }>
