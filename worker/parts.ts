import { Registry } from 'prom-client'
import type { Logger } from 'pino'
import { keys } from '../shared/keys.ts'
import { importSecret } from '../shared/signature.ts'
import { createCipher } from './credentials/cipher.ts'
import { createHandlers } from './handlers/index.ts'
import { collectAfterBursts } from './health/collect.ts'
import { createMetrics } from './health/metrics.ts'
import { createGuardedAgent, hostPortOf } from './net/guard.ts'
import { createOutbox } from './outbox/append.ts'
import { createBudget } from './outbox/budget.ts'
import { createEndpoint } from './outbox/endpoint.ts'
import { createGate } from './outbox/gate.ts'
import { createWindow } from './outbox/window.ts'
import { createGeneration } from './ownership/generation.ts'
import { createConnections } from './redis/connections.ts'
import { SettingsError, type Settings } from './settings.ts'
import type { Clock, Core } from './core.ts'
import { createDecoder } from './whatsapp/media/decoder/decoder.ts'
import { createMediaFolder } from './whatsapp/media/folder.ts'
import { createOpener, LINKING } from './sessions/opener.ts'
import { showInboundPaused } from './sessions/records.ts'
import { createAttach } from './whatsapp/attach.ts'
import { keepingPolls } from './whatsapp/secrets/keep-polls.ts'
import { createSecretStore } from './whatsapp/secrets/store.ts'
import { createSentStore } from './whatsapp/sent-store.ts'
import { createSockets } from './whatsapp/socket.ts'
import { createWebVersion } from './whatsapp/web-version.ts'

/** What all partitions of this process share. */
export type Parts = Awaited<ReturnType<typeof createParts>>

/** Makes what all partitions of this process share. Throws {@link SettingsError}. */
export async function createParts(settings: Settings, log: Logger) {
  const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() }
  const connections = createConnections(settings.redisUrl, log)
  const core: Core = { redis: connections.open('core', 'wait'), log, clock }

  // Two trusts: WEBHOOK_URL is the operator's, who may have it in a private network; media URLs are named by callers, who
  // could read from there whatever else the host serves.
  const webhookAgent = createGuardedAgent({ allowHosts: new Set([hostPortOf(settings.webhookUrl)]) })
  const mediaAgent = createGuardedAgent({ allowHosts: new Set(settings.allowPrivateHosts) })
  const secrets = await Promise.all(settings.webhookSecrets.map(importSecret)).catch(() => {
    throw new SettingsError('WEBHOOK_SECRET must be whsec_ and 24 to 64 bytes in base64, separated by commas')
  })
  const gate = createGate({ log })
  let told: string | undefined
  const tell = async (state: string) => {
    if (state === told) return
    told = state
    await core.redis.hset(keys.endpoint, { state, since: clock.now() }).catch(() => undefined)
  }
  // The edge shows it; a worker that starts knows of nothing that is wrong yet.
  gate.onChange(state => void tell(state))
  void tell(gate.state())
  const registry = new Registry()
  const generation = createGeneration(registry)
  const cipher = createCipher(settings.credentialsKeys)
  const messageSecrets = createSecretStore(core, cipher)
  const budget = createBudget(settings.undelivered)
  const outbox = createOutbox({ ...core, budget })
  const { waWebsocketUrl: url, waNoiseRootKey: noiseRootKey } = settings
  const webVersion = createWebVersion({
    ...core,
    registry,
    given: settings.waVersion,
    url: settings.waVersionUrl,
    // The operator's own, who may have a copy of it at home.
    agent: createGuardedAgent({
      allowHosts: new Set(settings.waVersionUrl ? [hostPortOf(settings.waVersionUrl)] : []),
    }),
  })
  const whatsapp = {
    ...(url !== undefined && { url }),
    version: () => webVersion.current(),
    dataSince: () => generation.current(),
    ...(noiseRootKey && { noiseRootKey }),
  }

  const folders = createMediaFolder()
  // Baileys writes media to the temporary folder before it uploads them.
  process.env['TMPDIR'] = folders.path
  const decoder = createDecoder({ ffmpeg: settings.ffmpeg })
  if (settings.ffmpeg === undefined) log.info('no ffmpeg on the PATH: sound and videos are not converted')
  const metrics = createMetrics({ registry, clock, endpoint: () => gate.state() })

  return {
    settings,
    core,
    connections,
    cipher,
    outbox,
    gate,
    window: createWindow(gate),
    budget,
    registry,
    generation,
    metrics,
    attempt: createEndpoint({
      url: settings.webhookUrl,
      secrets,
      dispatcher: webhookAgent,
      clock,
      generation: () => generation.current(),
    }),
    handlers: createHandlers({ agent: mediaAgent, maxBytes: settings.mediaMaxBytes, folders, decoder }),
    /** Leaves no process and no file behind. */
    closeMedia() {
      decoder.close()
      folders.close()
    },
    webVersion,
    addressing: settings.addressing,
    sockets: createSockets(whatsapp, log),
    opener: createOpener(undefined, collectAfterBursts(log)),
    linking: createOpener(LINKING),
    attach: createAttach({
      outbox,
      budget,
      secrets: messageSecrets,
      told: () => settings.told,
      ackTimeoutMs: settings.ackTimeoutMs,
      onSetAside: () => metrics.messageSetAside(),
      onUnread: reason => metrics.messageUnread(reason),
      onPaused({ sessionId, fence }) {
        metrics.inboundPaused()
        // Redis may be what is full; the log and the metrics have said it.
        void showInboundPaused(core, fence, sessionId).catch(() => undefined)
      },
    }),
    sent: keepingPolls(createSentStore(core, cipher), messageSecrets),
  }
}
