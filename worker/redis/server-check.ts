import type { Redis } from 'ioredis'
import type { Logger } from 'pino'

/**
 * Warns of a Redis that can lose what we keep in it: one that evicts keys when memory is short, or forgets everything
 * when it restarts. Read from INFO, since managed ones refuse CONFIG.
 */
export async function warnOfRisks(redis: Redis, log: Logger): Promise<void> {
  const info = `${await redis.info('memory')}${await redis.info('persistence')}`
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  const policy = field('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    log.warn({ policy }, 'redis evicts keys when memory is short: jobs and credentials can vanish, set noeviction')
  }
  const saves = await redis.config('GET', 'save').catch(() => undefined)
  const snapshots = Array.isArray(saves) ? saves[1] !== '' : undefined
  if (field('aof_enabled') === '0') {
    if (snapshots === false) log.warn('redis keeps nothing over a restart: turn on appendonly')
    else log.warn('redis can lose the last seconds to minutes when it restarts: turn on appendonly')
  }
}
