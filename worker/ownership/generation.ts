import type { Redis } from 'ioredis'
import { Counter, Gauge, type Registry } from 'prom-client'
import { keys } from '../../shared/keys.ts'
import { queueOf } from '../../shared/partition.ts'
import { layoutOf } from '../jobs/bullmq/layout.ts'
import { plainScript } from '../redis/script.ts'

/** Which data Redis holds: changes, always upwards, when it was given an older copy of them. */
export interface Generation {
  /** The newest that this process knows of; 0 before the first beat. */
  current(): number
  /** Redis has this one. */
  adopt(generation: number): void
  /** Redis was found to have gone back. */
  wentBack(): void
}

/** What this process knows of the generation, in its metrics too. */
export function createGeneration(registry: Registry): Generation {
  let current = 0
  const registers = [registry]
  const shown = new Gauge({
    name: 'kurir_redis_generation',
    help: 'Time in ms at which the data in Redis were last found to have been replaced; when they began, if never',
    registers,
  })
  const back = new Counter({
    name: 'kurir_redis_went_back_total',
    help: 'How often Redis was found with older data than before; alert on it',
    registers,
  })
  return {
    current: () => current,
    adopt(generation) {
      current = Math.max(current, generation)
      shown.set(current)
    },
    wentBack: () => back.inc(),
  }
}

/**
 * KEYS workers generation job-counter*; ARGV worker-id known-generation all. The time is a number that no counter of jobs
 * has reached, so no id that is lost is given again. The ZREM takes the caller's mark away, and comes first for a full Redis.
 */
const BEGIN = plainScript(`
redis.call('ZREM', KEYS[1], ARGV[1])
local known, found = tonumber(ARGV[2]), tonumber(redis.call('GET', KEYS[2]) or '0')
if found > known then return tostring(found) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(n) return string.format('%.0f', n) end
for i = 3, #KEYS do
  local last = redis.call('GET', KEYS[i])
  if last or ARGV[3] == '1' then
    redis.call('SET', KEYS[i], text(math.max(now, (tonumber(last or '0') or 0) + 1)))
  end
end
local generation = text(math.max(now, known + 1))
redis.call('SET', KEYS[2], generation)
return generation
`)

/**
 * Begins a new generation, unless another worker has already begun one that is newer than `known`. Jobs get ids from then
 * on that none had before. `back`: also in queues that have had no job yet, as far as Redis remembers. Resolves with the
 * generation that holds.
 */
export async function beginGeneration(
  redis: Redis,
  { workerId, known, partitions, back }: { workerId: string; known: number; partitions: number; back: boolean },
): Promise<number> {
  const counters = Array.from({ length: partitions }, (_, p) => `${layoutOf(queueOf(p)).prefix}id`)
  return Number(await BEGIN.run(redis, [keys.workers, keys.generation, ...counters], [workerId, known, back ? 1 : 0]))
}
