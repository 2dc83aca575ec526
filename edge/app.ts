import { Hono } from 'hono'
import { requestId } from 'hono/request-id'
import { logLine, toProblem } from './http/errors.ts'
import { Problem, problemResponse } from './http/problem.ts'
import { requireKey } from './http/requireKey.ts'
import { mount, type App, type Route, type Variables } from './http/route.ts'
import { securityHeaders } from './http/securityHeaders.ts'
import { getHealth } from './routes/getHealth.ts'
import { postJobs } from './routes/postJobs.ts'
import type { Services } from './services.ts'

/** Every endpoint. A new one is one file and one entry here. */
export const routes: readonly Route[] = [postJobs, getHealth]

/** The application without its routes: ids, headers, and errors as problems. Alone, it answers 404 to everything. */
export function createShell(): App {
  const app = new Hono<{ Variables: Variables }>()
  app.use(requestId({ limitLength: 64 }), securityHeaders)
  app.notFound(() => problemResponse(new Problem('NOT_FOUND')))
  app.onError((error, context) => problemResponse(toProblem(error, logLine, context.get('requestId'))))
  return app
}

/** The application. */
export function createApp(services: Services): App {
  const app = createShell()
  const open = (_context: unknown, next: () => Promise<void>) => next()
  mount(app, routes, services, { key: requireKey(services.apiKeys), page: open, open })
  return app
}
