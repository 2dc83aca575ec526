import { monitorRedis } from './monitor.ts'

/** Watches Redis for writes of an owner whose lease has passed on. */
export interface FenceWatch {
  /** Fenced scripts that came with an old token. They are expected, and must write nothing. */
  staleAttempts(): number
  /** Commands other than the comparison itself that ran under an old token. */
  staleWrites(): readonly string[]
  close(): void
}

/** Starts watching. */
export async function watchFences(redisUrl: string): Promise<FenceWatch> {
  const newest = new Map<string, number>()
  const writes: string[] = []
  let attempts = 0
  // A fenced script begins with the comparison; what it runs after that, under an old token, is a broken promise.
  let lease: string | undefined
  let epoch: number | undefined
  let stale = false

  const close = await monitorRedis(redisUrl, ({ inScript, words }) => {
    const [command = '', , , leaseKey = ''] = words
    if (!inScript) {
      stale = false
      lease = /^eval/i.test(command) && leaseKey.startsWith('kurir:lease:') ? leaseKey : undefined
      epoch = lease === undefined ? undefined : tokenEpoch(words)
      if (lease === undefined || epoch === undefined) return
      stale = epoch < (newest.get(lease) ?? 0)
      if (stale) attempts++
      else newest.set(lease, epoch)
      return
    }
    if (stale && command.toUpperCase() !== 'GET') writes.push(words.slice(0, 2).join(' '))
  })
  return { staleAttempts: () => attempts, staleWrites: () => writes, close }
}

/** The epoch in the first argument that looks like a lease's token, `<workerId>:<epoch>`. */
function tokenEpoch(words: readonly string[]): number | undefined {
  const [, , keyCount = '0'] = words
  const token = words[3 + Number(keyCount)]
  const found = token === undefined ? null : /-[0-9a-f]{8}:(\d+)$/.exec(token)
  return found === null ? undefined : Number(found[1])
}
