import { Redis } from 'ioredis'

/** Redis commands in a stretch of time. */
export interface CommandCount {
  /** As clients sent them: what a plan that bills scripts as one command counts. */
  topLevel: number
  /** Those that ran inside scripts, besides. */
  inScripts: number
}

/** Counts what Redis executes, by MONITOR. */
export async function countCommands(redisUrl: string): Promise<{ take(): CommandCount; close(): void }> {
  const redis = new Redis(redisUrl)
  const monitor = await redis.monitor()
  let count: CommandCount = { topLevel: 0, inScripts: 0 }
  monitor.on('monitor', (_time: string, _args: string[], source: string) => {
    if (source === 'lua') count.inScripts++
    else count.topLevel++
  })
  return {
    take() {
      const taken = count
      count = { topLevel: 0, inScripts: 0 }
      return taken
    },
    close() {
      monitor.disconnect()
      redis.disconnect()
    },
  }
}
