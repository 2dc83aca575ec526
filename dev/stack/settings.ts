import { parseArgs } from 'node:util'
import * as z from 'zod'
import { SETTINGS } from '../../worker/settings.ts'
import type { StackOptions } from './options.ts'

/** A setting or argument that cannot be used; its message is for the person who gave it. */
export class StartError extends Error {}

const port = z.coerce.number().int().min(1).max(65_535).optional()
const url = z.url().optional()

const environment = z.object({
  REDIS_URL: url,
  UPSTASH_REDIS_REST_URL: url,
  UPSTASH_REDIS_REST_TOKEN: z.string().min(1).optional(),
  API_KEYS: z.string().min(1).optional(),
  WEBHOOK_URL: url,
  WEBHOOK_SECRET: z.string().min(1).optional(),
  CREDENTIALS_KEY: z.string().min(1).optional(),
  PARTITIONS: z.coerce.number().int().min(1).max(256).default(1),
  WORKERS: z.coerce.number().int().min(1).max(16).default(1),
  WA_WEBSOCKET_URL: url,
  WA_NOISE_ROOT_KEY: z.string().optional(),
  EDGE_PORT: port,
  REDIS_PORT: port,
  REST_PORT: port,
  PORT: port,
  SIMULATOR_PORT: port,
  INBOX_PORT: port,
})

/** Settings of the worker that the stack has no part in: they are passed on as they are when they are given. */
const PASSED_ON = SETTINGS.filter(name => !Object.hasOwn(environment.shape, name))

/** What `npm start` was asked for. */
export type StartOptions = Omit<StackOptions, 'dir'> & { scan: boolean; partitions: number }

/** Reads `npm start`'s environment and arguments. Throws {@link StartError}. */
export function readStart(env: NodeJS.ProcessEnv, args: readonly string[]): StartOptions {
  const { live, scan } = readFlags(args)
  // An empty variable is one that is not set: shells cannot tell them apart in `X= npm start`.
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const read = environment.safeParse(present)
  if (!read.success) {
    const [issue] = read.error.issues
    throw new StartError(`${String(issue?.path[0])} is not usable: ${issue?.message ?? ''}`)
  }
  const given = read.data
  if ((given.UPSTASH_REDIS_REST_URL === undefined) !== (given.UPSTASH_REDIS_REST_TOKEN === undefined)) {
    throw new StartError('UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN belong together')
  }
  if (given.UPSTASH_REDIS_REST_URL !== undefined && given.REDIS_URL === undefined) {
    throw new StartError('UPSTASH_REDIS_REST_URL needs REDIS_URL too: the worker must reach the same Redis')
  }
  return {
    live,
    scan,
    partitions: given.PARTITIONS,
    workers: given.WORKERS,
    path: env['PATH'] ?? '',
    persist: true,
    given: defined({
      redisUrl: given.REDIS_URL,
      rest:
        given.UPSTASH_REDIS_REST_URL !== undefined && given.UPSTASH_REDIS_REST_TOKEN !== undefined
          ? { url: given.UPSTASH_REDIS_REST_URL, token: given.UPSTASH_REDIS_REST_TOKEN }
          : undefined,
      webhookUrl: given.WEBHOOK_URL,
      waWebsocketUrl: given.WA_WEBSOCKET_URL,
      waNoiseRootKey: given.WA_NOISE_ROOT_KEY,
      secrets: defined({
        apiKey: given.API_KEYS,
        webhookSecret: given.WEBHOOK_SECRET,
        credentialsKey: given.CREDENTIALS_KEY,
      }),
      worker: Object.fromEntries(PASSED_ON.flatMap(name => (present[name] ? [[name, present[name]]] : []))),
    }),
    ports: defined({
      edge: given.EDGE_PORT,
      redis: given.REDIS_PORT,
      rest: given.REST_PORT,
      worker: given.PORT,
      simulator: given.SIMULATOR_PORT,
      inbox: given.INBOX_PORT,
    }),
  }
}

function readFlags(args: readonly string[]): { live: boolean; scan: boolean } {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { live: { type: 'boolean', default: false }, 'no-scan': { type: 'boolean', default: false } },
    })
    return { live: values.live, scan: !values['no-scan'] }
  } catch (error) {
    throw new StartError(`${(error as Error).message}\nusage: npm start -- [--live] [--no-scan]`)
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without the fields that are undefined: an absent option and an undefined one are not the same to their readers. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}
