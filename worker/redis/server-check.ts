import type { Logger } from 'pino'
import { SettingsError } from '../settings.ts'

/** What is asked of the server. */
export interface Server {
  info(section: string): Promise<string>
  config(action: 'GET', name: string): Promise<unknown>
}

const EVICTS = 'redis evicts keys when memory is short: jobs and credentials can vanish'

/**
 * Looks at the Redis that REDIS_URL names, before any work. Throws {@link SettingsError} for a Redis Cluster: our scripts
 * name keys of many slots, so that each of them would fail there. Warns of a Redis that can lose what we keep in it: one
 * that evicts keys when memory is short, or forgets everything when it restarts. Read from INFO, since managed ones refuse
 * CONFIG; what INFO does not tell is not known, and no reason not to start.
 */
export async function checkServer(redis: Server, redisUrl: string, log: Logger): Promise<void> {
  const sections = ['cluster', 'memory', 'persistence'].map(async name => infoOf(redis, name))
  const info = (await Promise.all(sections)).join('\n')
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  if (field('cluster_enabled') === '1') {
    throw new SettingsError('REDIS_URL names a Redis Cluster, which cannot serve Kurir: give it a single Redis')
  }
  const policy = field('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    // Upstash takes no CONFIG SET: eviction is a switch of its console.
    const upstash = new URL(redisUrl).hostname.endsWith('.upstash.io')
    log.warn({ policy }, `${EVICTS}, ${upstash ? 'turn Eviction off in the console of Upstash' : 'set noeviction'}`)
  }
  const saves = await redis.config('GET', 'save').catch(() => undefined)
  const snapshots = Array.isArray(saves) && saves.length > 1 ? saves[1] !== '' : undefined
  if (field('aof_enabled') === '0') {
    if (snapshots === false) log.warn('redis keeps nothing over a restart: turn on appendonly')
    else log.warn('redis can lose the last seconds to minutes when it restarts: turn on appendonly')
  }
}

/** What names the server's process, as long as it runs; undefined where INFO does not tell. */
export async function runIdOf(redis: Pick<Server, 'info'>): Promise<string | undefined> {
  return /^run_id:(\w+)/m.exec(await infoOf(redis, 'server'))?.[1]
}

/** One section of INFO; empty when the user of REDIS_URL may not ask for it. */
async function infoOf(redis: Pick<Server, 'info'>, section: string): Promise<string> {
  try {
    return await redis.info(section)
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return ''
    throw error
  }
}
