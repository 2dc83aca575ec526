import type { FieldError } from '../../shared/coded.ts'
import { SESSION_ID } from '../../shared/jid.ts'
import { readForm } from '../http/body.ts'
import { Problem } from '../http/problem.ts'
import type { Route } from '../http/route.ts'
import type { RouteContext } from '../http/context.ts'
import type { NewJob } from '../producer/producer.ts'
import { readPost } from '../producer/request.ts'
import { idsOf } from '../routes/post-jobs.ts'
import type { Services } from '../services.ts'
import { HomePage } from './home-page.tsx'
import { sendPage } from './layout.tsx'
import { Live } from './live.tsx'
import { SCRIPT } from './script.ts'
import { SessionPage } from './session-page.tsx'
import { SignInPage } from './sign-in-page.tsx'
import { STYLE } from './style.ts'

const home: Route = {
  method: 'GET',
  path: '/',
  access: 'open',
  async handle(context, { signIn, sessions }) {
    if (await signIn.isValid(context)) {
      return sendPage(context, { title: 'Sessions', body: <HomePage started={await sessions.started()} /> })
    }
    return sendPage(context, { title: 'Sign in', body: <SignInPage />, signedIn: false })
  },
}

const start: Route = {
  method: 'POST',
  path: '/sessions',
  access: 'page',
  async handle(context, services) {
    const values = await readForm(context.req.raw)
    const { sessionId = '', phoneNumber = '' } = values
    const post = readJob('START_SESSION', { sessionId, ...(phoneNumber !== '' && { phoneNumber }) })
    if (!post.ok) {
      const body = (
        <HomePage started={await services.sessions.started()} mistakes={linesOf(post.errors)} values={values} />
      )
      return sendPage(context, { title: 'Sessions', body, status: 400 })
    }
    await add(services, post.jobs)
    return context.redirect(`/sessions/${sessionId}`, 303)
  },
}

const session: Route = {
  method: 'GET',
  path: '/sessions/:sessionId',
  access: 'page',
  async handle(context, services) {
    const props = await read(context, services)
    return sendPage(context, { title: props.sessionId, body: <SessionPage {...props} /> })
  },
}

const live: Route = {
  method: 'GET',
  path: '/sessions/:sessionId/live',
  access: 'page',
  async handle(context, services) {
    const { jobId: _, ...props } = await read(context, services)
    return context.html(<Live {...props} />)
  },
}

const sendText: Route = {
  method: 'POST',
  path: '/sessions/:sessionId/texts',
  access: 'page',
  async handle(context, services) {
    const values = await readForm(context.req.raw)
    const { to = '', text = '' } = values
    const props = await read(context, services)
    const post = readJob('SEND_TEXT', { sessionId: props.sessionId, to, text })
    if (!post.ok) {
      const body = <SessionPage {...props} mistakes={linesOf(post.errors)} values={values} />
      return sendPage(context, { title: props.sessionId, body, status: 400 })
    }
    const [jobId = ''] = await add(services, post.jobs)
    return context.redirect(`/sessions/${props.sessionId}?job=${jobId}`, 303)
  },
}

const signIn: Route = {
  method: 'POST',
  path: '/sign-in',
  access: 'open',
  async handle(context, { apiKeys, signIn }) {
    const { key = '' } = await readForm(context.req.raw)
    const digest = await apiKeys.check(key.trim())
    if (digest === undefined) {
      const body = <SignInPage mistakes={['That is not an API key of this gateway.']} />
      return sendPage(context, { title: 'Sign in', body, signedIn: false, status: 401 })
    }
    await signIn.start(context, digest)
    return context.redirect('/', 303)
  },
}

const signOut: Route = {
  method: 'POST',
  path: '/sign-out',
  access: 'page',
  handle(context, { signIn }) {
    signIn.end(context)
    return context.redirect('/', 303)
  },
}

function asset(path: string, type: string, text: string): Route {
  const headers = { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'public, max-age=300' }
  return { method: 'GET', path, access: 'open', handle: context => context.body(text, 200, headers) }
}

/** The small page for people: sign in, link a session, watch it, send a text. */
export const pageRoutes: readonly Route[] = [
  home,
  signIn,
  signOut,
  start,
  session,
  live,
  sendText,
  asset('/assets/page.css', 'text/css', STYLE),
  asset('/assets/page.js', 'text/javascript', SCRIPT),
]

async function read(context: RouteContext, { sessions, jobs }: Services) {
  const sessionId = context.req.param('sessionId') ?? ''
  if (!SESSION_ID.test(sessionId)) throw new Problem('SESSION_NOT_FOUND')
  const jobId = context.req.query('job')
  const [view, job] = await Promise.all([
    sessions.find(sessionId),
    jobId === undefined ? undefined : jobs.find(sessionId, jobId),
  ])
  return { sessionId, jobId, ...(view !== undefined && { view }), ...(job !== undefined && { job }) }
}

function readJob(name: string, data: unknown) {
  return readPost({ name, data })
}

async function add({ producer, partitions }: Services, jobs: readonly NewJob[]): Promise<string[]> {
  return idsOf(await producer.add(jobs), partitions).map(({ id }) => id)
}

function linesOf(errors: readonly FieldError[]): string[] {
  return errors.map(({ path, message }) => `${path.replace(/^data\./, '')} ${message}`)
}
