import { HTTP_STATUS } from '../../shared/errors.ts'
import { TITLES, type Problem } from '../http/problem.ts'
import type { RouteContext } from '../http/context.ts'
import { sendPage } from './layout.tsx'

/** Whether a person's browser asks, and not for the API. */
export function wantsPage(context: RouteContext): boolean {
  return !context.req.path.startsWith('/v1/') && (context.req.header('accept') ?? '').includes('text/html')
}

/** The problem as a page. */
export function sendProblemPage(context: RouteContext, { code, details }: Problem) {
  const body = (
    <section>
      <h1>{TITLES[code]}</h1>
      {details.detail !== undefined && <p>{details.detail}</p>}
      <p>
        <a href="/">Back to the start</a>
      </p>
    </section>
  )
  return sendPage(context, { title: TITLES[code], body, signedIn: false, status: HTTP_STATUS[code] })
}
