import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startRedis } from '../../dev/redis/start.ts'
import { median } from '../producer/measure.ts'
import type { Row } from '../producer/table.ts'

const SCRIPT = fileURLToPath(new URL('consumer.ts', import.meta.url))
const LEAST = 0.8

/** (b): jobs/s of our consumer with sends stubbed at the socket, beside a bare BullMQ Worker, in turns. */
export async function benchConsumer(size: { jobs: number; sessions: number; turns: number }): Promise<Row[]> {
  const rates = { ours: [] as number[], bullmq: [] as number[] }
  for (let turn = 0; turn < size.turns; turn++) {
    for (const side of ['ours', 'bullmq'] as const) {
      const redis = await startRedis()
      const argument = JSON.stringify({ side, redisUrl: redis.url, ...size })
      const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, argument], { timeout: 120_000 })
      rates[side].push((JSON.parse(stdout) as { rate: number }).rate)
      await redis.close()
    }
  }
  const ratio = median(rates.ours.map((rate, turn) => rate / (rates.bullmq[turn] ?? Number.NaN)))
  return [
    { what: 'consumer, sends stubbed', value: `${Math.round(median(rates.ours))} jobs/s` },
    { what: 'bare BullMQ Worker, concurrency 50', value: `${Math.round(median(rates.bullmq))} jobs/s` },
    { what: 'ratio', value: ratio.toFixed(2), target: `${LEAST} or more`, ok: ratio >= LEAST },
  ]
}
