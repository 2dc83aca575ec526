import type { Hono, MiddlewareHandler } from 'hono'
import type { RouteContext, Variables } from './context.ts'
import type { Services } from '../services.ts'
import { Problem } from './problem.ts'

/** The application. */
export type App = Hono<{ Variables: Variables }>

/**
 * One endpoint. `access` says who may call it: `key`, whoever sends an API key; `page`, a browser that signed in with
 * one; `open`, anyone (what it answers must not depend on Redis).
 */
export interface Route {
  method: 'GET' | 'POST'
  path: string
  access: 'key' | 'page' | 'open'
  handle: (context: RouteContext, services: Services) => Response | Promise<Response>
}

/** Adds the routes, each behind the guard of its access, and answers 405 to other methods of their paths. */
export function mount(
  app: App,
  routes: readonly Route[],
  services: Services,
  guards: Record<Route['access'], MiddlewareHandler<{ Variables: Variables }>>,
): void {
  const allowed = new Map<string, string[]>()
  for (const { method, path, access, handle } of routes) {
    app.on(method, path, guards[access], context => handle(context, services))
    allowed.set(path, [...(allowed.get(path) ?? []), ...(method === 'GET' ? ['GET', 'HEAD'] : [method])])
  }
  for (const [path, methods] of allowed) {
    app.all(path, () => {
      throw new Problem('METHOD_NOT_ALLOWED', { headers: { allow: methods.join(', ') } })
    })
  }
}
