import type { Inbox } from '../inbox/inbox.ts'
import type { StackOptions } from './options.ts'
import type { Secrets } from './secrets.ts'
import type { RunningSimulator } from './simulator.ts'

/** What the settings of a stack's workers come from. */
export interface WorkerEnvSources {
  redis: { url: string }
  secrets: Secrets
  partitions: number
  simulator: RunningSimulator | undefined
  inbox: Inbox | undefined
  options: StackOptions
}

/** The settings of the workers of a stack. */
export function workerEnv(sources: WorkerEnvSources): Record<string, string> {
  const { redis, secrets, partitions, simulator, inbox, options } = sources
  const { given = {} } = options
  const webhookUrl = given.webhookUrl ?? inbox?.url ?? ''
  const websocketUrl = simulator?.waUrl ?? (options.live === true ? undefined : given.waWebsocketUrl)
  const noiseRootKey = simulator?.rootKeyHex ?? given.waNoiseRootKey
  return {
    REDIS_URL: redis.url,
    WEBHOOK_URL: webhookUrl,
    WEBHOOK_SECRET: secrets.webhookSecret,
    CREDENTIALS_KEY: secrets.credentialsKey,
    PARTITIONS: String(partitions),
    ...(websocketUrl !== undefined && { WA_WEBSOCKET_URL: websocketUrl }),
    ...(noiseRootKey !== undefined && { WA_NOISE_ROOT_KEY: noiseRootKey }),
    ...(simulator && { NODE_EXTRA_CA_CERTS: simulator.certificateFile }),
    // Where ffmpeg may be.
    ...(process.env['PATH'] !== undefined && { PATH: process.env['PATH'] }),
    // The README says that it runs on this machine alone.
    HEALTH_HOST: '127.0.0.1',
    ...given.worker,
  }
}
