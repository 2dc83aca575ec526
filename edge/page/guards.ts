import type { MiddlewareHandler } from 'hono'
import { Problem } from '../http/problem.ts'
import type { Variables } from '../http/context.ts'
import type { SignIn } from './cookie.ts'

type Guard = MiddlewareHandler<{ Variables: Variables }>

/** Lets anyone through, but takes forms from our own pages only. */
export const sameSite: Guard = async (context, next) => {
  if (context.req.method === 'POST') {
    const origin = context.req.header('origin') ?? ''
    // The SameSite cookie does not help where there is none yet (signing in), and siblings of our host are same-site.
    if (!URL.canParse(origin) || new URL(origin).host !== new URL(context.req.url).host) {
      throw new Problem('CROSS_SITE_REQUEST')
    }
  }
  await next()
}

/** Lets browsers through that signed in, and sends the others to the sign-in form. */
export function requireSignIn(signIn: SignIn): Guard {
  return async (context, next) => {
    if (!(await signIn.isValid(context))) return context.redirect('/', 303)
    return sameSite(context, next)
  }
}
