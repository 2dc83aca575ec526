import { createApp, createShell } from './app.ts'
import type { App } from './http/route.ts'
import { createServices } from './services.ts'
import { readSettings } from './settings.ts'

/** The binding's values, before they are checked. */
type Env = Readonly<Record<string, unknown>>

/** One application per environment: the runtime gives the same object to every request of an isolate. */
const apps = new WeakMap<Env, Promise<App>>()

async function appOf(env: Env): Promise<App> {
  try {
    return createApp(await createServices(readSettings(env)))
  } catch (error) {
    return createShell().use(() => {
      throw error
    })
  }
}

export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    let app = apps.get(env)
    if (app === undefined) apps.set(env, (app = appOf(env)))
    return (await app).fetch(request, env, context)
  },
}
