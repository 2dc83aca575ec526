import { monitorRedis } from '../../e2e/faults/monitor.ts'

/** Redis commands in a stretch of time. */
export interface CommandCount {
  /** As clients sent them: what a plan that bills scripts as one command counts. */
  topLevel: number
  /** Those that ran inside scripts, besides. */
  inScripts: number
}

/** Counts what Redis executes. */
export async function countCommands(redisUrl: string): Promise<{ take(): CommandCount; close(): void }> {
  let count: CommandCount = { topLevel: 0, inScripts: 0 }
  const close = await monitorRedis(redisUrl, ({ inScript }) => {
    if (inScript) count.inScripts++
    else count.topLevel++
  })
  return {
    take() {
      const taken = count
      count = { topLevel: 0, inScripts: 0 }
      return taken
    },
    close,
  }
}
