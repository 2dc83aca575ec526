import { fork } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { startRedis } from '../../dev/redis/start.ts'
import { startRestGateway } from '../../dev/rest/gateway.ts'

/** Redis and the REST gateway, in a process of their own so that they do not share a core's time with the load. */
export interface Servers {
  redisUrl: string
  redisKind: string
  restUrl: string
  restToken: string
  /** HTTP requests that the gateway has got so far, and the top-level commands in them. */
  counts(): Promise<Counts>
  close(): Promise<void>
}

/** See {@link Servers.counts}. */
export interface Counts {
  requests: number
  commands: number
}

type Started = Pick<Servers, 'redisUrl' | 'redisKind' | 'restUrl'>

/** Starts them. */
export async function startServers(): Promise<Servers> {
  const restToken = crypto.randomUUID()
  const child = fork(fileURLToPath(import.meta.url), [restToken], { execArgv: ['--no-warnings'] })
  const exited = once(child, 'exit')
  const [started] = (await once(child, 'message')) as [Started]
  return {
    ...started,
    restToken,
    async counts() {
      const answer = once(child, 'message')
      child.send('counts')
      return ((await answer) as [Counts])[0]
    },
    async close() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

async function serve(token: string): Promise<void> {
  const counts: Counts = { requests: 0, commands: 0 }
  const onRequest = (commands: number) => {
    counts.requests++
    counts.commands += commands
  }
  const redis = await startRedis()
  const gateway = await startRestGateway({ redisUrl: redis.url, token, onRequest })
  process.on('message', () => process.send?.(counts))
  process.on('disconnect', () => {
    void gateway
      .close()
      .then(() => redis.close())
      .finally(() => process.exit())
  })
  // Ctrl-C reaches the whole terminal; the parent decides when this ends.
  process.on('SIGINT', () => {})
  process.send?.({ redisUrl: redis.url, redisKind: redis.kind, restUrl: gateway.url } satisfies Started)
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) await serve(process.argv[2] ?? '')
