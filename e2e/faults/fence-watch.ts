import { Redis } from 'ioredis'

/** Watches what Redis executes for writes of an owner whose lease has passed on. */
export interface FenceWatch {
  /** Fenced scripts that came with an old token. They are expected, and must write nothing. */
  staleAttempts(): number
  /** Commands other than the comparison itself that ran under an old token. */
  staleWrites(): string[]
  close(): void
}

/** Starts watching, by MONITOR, which shows each script and the commands it runs in their order. */
export async function watchFences(redisUrl: string): Promise<FenceWatch> {
  const redis = new Redis(redisUrl)
  const monitor = await redis.monitor()
  const newest = new Map<string, number>()
  const writes: string[] = []
  let attempts = 0
  let stale = false

  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    const [command = '', , keyCount = '0', lease = ''] = args
    if (source === 'lua') {
      if (stale && command.toUpperCase() !== 'GET') writes.push(args.slice(0, 2).join(' '))
      return
    }
    stale = false
    if (!/^eval/i.test(command) || !lease.startsWith('kurir:lease:')) return
    const epoch = Number(/:(\d+)$/.exec(args[3 + Number(keyCount)] ?? '')?.[1])
    if (Number.isNaN(epoch)) return
    stale = epoch < (newest.get(lease) ?? 0)
    if (stale) attempts++
    else newest.set(lease, epoch)
  })

  return {
    staleAttempts: () => attempts,
    staleWrites: () => writes,
    close() {
      monitor.disconnect()
      redis.disconnect()
    },
  }
}
