import { Hono } from 'hono'
import { logLine, toProblem } from './http/errors.ts'
import { Problem, sendProblem } from './http/problem.ts'
import { requireKey } from './http/require-key.ts'
import { mount, type App, type Route } from './http/route.ts'
import type { RouteContext, Variables } from './http/context.ts'
import { standardHeaders } from './http/standard-headers.ts'
import { sendProblemPage, wantsPage } from './page/problem-page.tsx'
import { requireSignIn, sameSite } from './page/guards.ts'
import { pageRoutes } from './page/routes.tsx'
import { getDeployment } from './routes/get-deployment.ts'
import { getEvents } from './routes/get-events.ts'
import { getHealth } from './routes/get-health.ts'
import { getJob } from './routes/get-job.ts'
import { getSession } from './routes/get-session.ts'
import { getSessionQr } from './routes/get-session-qr.ts'
import { postJobs } from './routes/post-jobs.ts'
import { postRedrive, postReplay } from './routes/post-operation.ts'
import type { Services } from './services.ts'

const apiRoutes = [
  getDeployment,
  postJobs,
  getJob,
  getSession,
  getSessionQr,
  getEvents,
  postReplay,
  postRedrive,
  getHealth,
]

/** Every endpoint. A new one is one file and one entry in a list. */
export const routes: readonly Route[] = [...apiRoutes, ...pageRoutes]

/** The application without its routes: ids, headers, and errors as problems. Alone, it answers 404 to everything. */
export function createShell(): App {
  const app = new Hono<{ Variables: Variables }>()
  app.use(standardHeaders)
  const answer = (context: RouteContext, problem: Problem) =>
    wantsPage(context) ? sendProblemPage(context, problem) : sendProblem(context, problem)
  app.notFound(context => answer(context, new Problem('NOT_FOUND')))
  app.onError((error, context) => answer(context, toProblem(error, logLine, context.get('requestId'))))
  return app
}

/** The application. */
export function createApp(services: Services): App {
  const app = createShell()
  mount(app, routes, services, {
    key: requireKey(services.apiKeys),
    page: requireSignIn(services.signIn),
    open: sameSite,
  })
  return app
}
