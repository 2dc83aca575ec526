import * as z from 'zod'
import { MAX_PARTITIONS } from '../shared/partition.ts'
import { createLog } from './log.ts'
import { repartition } from './ownership/repartition.ts'
import { connectRedis } from './redis/connection.ts'

// `node worker/repartition.ts` with REDIS_URL and PARTITIONS; see docs/architecture.md.
const settings = z
  .object({ REDIS_URL: z.url(), PARTITIONS: z.coerce.number().int().min(1).max(MAX_PARTITIONS) })
  .safeParse(process.env)

if (settings.success) {
  const { REDIS_URL: url, PARTITIONS: partitions } = settings.data
  const redis = connectRedis(url, 'fail', createLog('silent', 'repartition'))
  try {
    const moved = await repartition(redis, partitions)
    process.stdout.write(`now ${partitions} partitions; ${moved} sessions moved\n`)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : 'failed'}\n`)
    process.exitCode = 1
  } finally {
    redis.disconnect()
  }
} else {
  process.stderr.write(`${String(settings.error.issues[0]?.path[0])} is missing or not usable\n`)
  process.exitCode = 1
}
