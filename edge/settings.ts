import * as z from 'zod'
import { MAX_PARTITIONS } from '../shared/partition.ts'

const MIN_KEY_LENGTH = 16

const apiKeys = z
  .string()
  .transform(text => text.split(',').map(key => key.trim()))
  .refine(keys => keys.every(key => key.length >= MIN_KEY_LENGTH), {
    error: `must be one or more keys of at least ${MIN_KEY_LENGTH} characters, separated by commas`,
  })

const partitions = z
  .string()
  .regex(/^[1-9]\d{0,2}$/)
  .default('1')
  .transform(Number)
  .refine(count => count <= MAX_PARTITIONS)

const schema = z.object({
  UPSTASH_REDIS_REST_URL: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }),
  UPSTASH_REDIS_REST_TOKEN: z.string().min(1),
  API_KEYS: apiKeys,
  PARTITIONS: partitions,
})

/** What the edge is told by its environment: wrangler vars and secrets. */
export interface Settings {
  redisUrl: string
  redisToken: string
  apiKeys: string[]
  partitions: number
}

/** A setting that is missing or bad. `message` names every such setting, and never a value. */
export class SettingsError extends Error {
  constructor(names: readonly string[]) {
    super(`missing or bad setting: ${names.join(', ')}`)
    this.name = 'SettingsError'
  }
}

/** Reads the environment. Throws {@link SettingsError}. */
export function readSettings(env: Readonly<Record<string, unknown>>): Settings {
  const result = schema.safeParse(env)
  if (!result.success) throw new SettingsError([...new Set(result.error.issues.map(issue => String(issue.path[0])))])
  const { UPSTASH_REDIS_REST_URL: redisUrl, UPSTASH_REDIS_REST_TOKEN: redisToken, ...rest } = result.data
  return { redisUrl, redisToken, apiKeys: rest.API_KEYS, partitions: rest.PARTITIONS }
}
