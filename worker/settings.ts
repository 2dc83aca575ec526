import * as z from 'zod'
import { POSTS, UPDATE_NAMES, type Told } from '../shared/events.ts'
import { MAX_PARTITIONS } from '../shared/partition.ts'
import type { Pace } from './jobs/lane/pacing.ts'
import type { BudgetSizes } from './outbox/budget.ts'
import type { Addressing } from './whatsapp/addressing.ts'
import type { Retention } from './outbox/store.ts'
import { findFfmpeg } from './whatsapp/media/decoder/ffmpeg.ts'

const HOUR_MS = 60 * 60 * 1000

/** WhatsApp takes no file over 2 GiB. */
const MOST_MEDIA_BYTES = 2 * 1024 ** 3
/** No Redis holds more. */
const MOST_EVENT_BYTES = 1024 ** 4

/** The script of WhatsApp Web that names its version. */
const WEB_SCRIPT = new URL('https://web.whatsapp.com/sw.js')

/** A setting is missing or cannot be used. The message is one line that names it and never shows its value. */
export class SettingsError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SettingsError'
  }
}

const list = z.string().transform(text =>
  text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== ''),
)

const webUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).transform(text => new URL(text))

const onOff = z.enum(['on', 'off'], { error: 'must be on or off' }).transform(choice => choice === 'on')

function whole(from: number, to: number) {
  const message = `must be a number from ${from} to ${to}`
  return z.coerce.number({ error: message }).int(message).min(from, message).max(to, message)
}

const milliseconds = z.coerce
  .number({ error: 'must be milliseconds' })
  .min(0, 'must be milliseconds')
  .max(600_000, 'must be milliseconds, at most 600000')
  .default(0)

/** A host, or an IPv6 address in brackets, with its port. */
const HOST_PORT = /^(\[[0-9a-f:.]+\]|[^\s:/@[\]]+):\d{1,5}$/i

const TOLD = [...UPDATE_NAMES, ...POSTS] as const

const environment = z.object({
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'must be a redis or rediss URL' }),
  WEBHOOK_URL: webUrl,
  WEBHOOK_SECRET: list.refine(secrets => secrets.length > 0, 'must be whsec_ secrets, separated by commas'),
  CREDENTIALS_KEY: list.refine(all => all.length > 0 && all.every(isKey), 'must be 32 bytes in base64'),
  PARTITIONS: whole(1, MAX_PARTITIONS).default(1),
  PORT: z.coerce
    .number({ error: 'must be a port' })
    .int('must be a port')
    .min(0, 'must be a port')
    .max(65_535, 'must be a port')
    .default(8080),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], { error: 'must be a level of pino' })
    .default('info'),
  WA_WEBSOCKET_URL: z.url({ protocol: /^wss?$/, error: 'must be a ws or wss URL' }).optional(),
  WA_NOISE_ROOT_KEY: z
    .string()
    .regex(/^[0-9a-f]{64}$/i, 'must be 32 bytes in hex')
    .transform(hex => Buffer.from(hex, 'hex'))
    .optional(),
  WA_VERSION: z
    .string()
    .regex(/^[1-9]\d?\.\d{1,5}\.\d{1,10}$/, 'must be three numbers, like 2.3000.1234567')
    .transform(version)
    .optional(),
  WA_VERSION_URL: webUrl.optional(),
  SEND_ADDRESSING: z.enum(['lid', 'pn'], { error: 'must be lid or pn' }).default('lid'),
  MEDIA_MAX_BYTES: whole(1, MOST_MEDIA_BYTES).default(100 * 1024 * 1024),
  ALLOW_PRIVATE_HOSTS: list
    .refine(all => all.every(item => HOST_PORT.test(item)), 'must be host:port, separated by commas')
    .default([]),
  HEALTH_HOST: z.string().optional(),
  JOB_EVENTS: onOff.default(false),
  WEBHOOK_UPDATES: list
    .pipe(z.array(z.enum(TOLD, { error: `must be of ${TOLD.join(', ')}, separated by commas` })))
    .default([]),
  FAILED_JOBS_DAYS: whole(1, 10_000).default(7),
  EVENT_RETENTION_HOURS: whole(1, 10_000).default(24),
  EVENT_RETENTION_COUNT: whole(0, 1_000_000).default(1000),
  EVENT_RETENTION_BYTES: whole(0, MOST_EVENT_BYTES).default(8 * 1024 * 1024),
  UNDELIVERED_BYTES: whole(1, MOST_EVENT_BYTES).default(128 * 1024 * 1024),
  UNDELIVERED_BYTES_PER_SESSION: whole(1, MOST_EVENT_BYTES).default(16 * 1024 * 1024),
  ACK_TIMEOUT_MS: whole(100, 600_000).default(30_000),
  SEND_GAP_MS: milliseconds,
  SEND_JITTER_MS: milliseconds,
  TYPING_MS_PER_CHARACTER: milliseconds,
})

/** The names of all settings. */
export const SETTINGS: readonly string[] = Object.keys(environment.shape)

/** What a worker is told. */
export interface Settings {
  redisUrl: string
  webhookUrl: URL
  /** `whsec_...`; the first signs first. */
  webhookSecrets: readonly string[]
  /** 32 bytes in base64 each; the first encrypts, the others may still decrypt. */
  credentialsKeys: readonly string[]
  partitions: number
  /** Of health and metrics. */
  port: number
  logLevel: string
  /** Default: WhatsApp's own. */
  waWebsocketUrl: string | undefined
  waNoiseRootKey: Uint8Array | undefined
  /** Of WhatsApp Web, to be told to WhatsApp. Default: the current one, which is looked up. */
  waVersion: [number, number, number] | undefined
  /** Where the current version is looked up; undefined: nowhere, as with a server that is not WhatsApp's. */
  waVersionUrl: URL | undefined
  /** Under which of its names a contact is sent to. */
  addressing: Addressing
  /** Most bytes of media that a job's URL may lead to. */
  mediaMaxBytes: number
  /** The ffmpeg that is on the PATH, which converts sound and videos. */
  ffmpeg: string | undefined
  /** Where health and metrics listen; default: on all interfaces. */
  healthHost: string | undefined
  /** Lower-case `host:port` in private networks that media URLs may name. */
  allowPrivateHosts: readonly string[]
  /** How slowly each session sends. */
  pace: Pace
  /** Whether webhooks tell how each job ended. */
  jobEvents: boolean
  /** What webhooks tell of, beside messages and connections. */
  told: Told
  /** How long BullMQ keeps jobs that have ended, in ms. */
  finishedJobsMs: number
  /** How long delivered events can be replayed. */
  retention: Retention
  /** Most bytes of undelivered events: of a session, and of each partition. */
  undelivered: BudgetSizes
  /** How long a message waits for WhatsApp's ack before it is sent again under the same id. */
  ackTimeoutMs: number
}

/** Reads the environment. Throws {@link SettingsError}. An empty variable counts as one that is not set. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const read = environment.safeParse(present)
  if (!read.success) {
    const [issue] = read.error.issues
    const name = String(issue?.path[0] ?? 'a setting')
    throw new SettingsError(present[name] === undefined ? `${name} is missing` : `${name} ${issue?.message ?? ''}`)
  }
  const given = read.data
  return {
    redisUrl: given.REDIS_URL,
    webhookUrl: given.WEBHOOK_URL,
    webhookSecrets: given.WEBHOOK_SECRET,
    credentialsKeys: given.CREDENTIALS_KEY,
    partitions: given.PARTITIONS,
    port: given.PORT,
    logLevel: given.LOG_LEVEL,
    waWebsocketUrl: given.WA_WEBSOCKET_URL,
    waNoiseRootKey: given.WA_NOISE_ROOT_KEY,
    addressing: given.SEND_ADDRESSING,
    waVersion: given.WA_VERSION,
    waVersionUrl: given.WA_VERSION_URL ?? (given.WA_WEBSOCKET_URL === undefined ? WEB_SCRIPT : undefined),
    mediaMaxBytes: given.MEDIA_MAX_BYTES,
    ffmpeg: findFfmpeg(env['PATH']),
    healthHost: given.HEALTH_HOST,
    allowPrivateHosts: given.ALLOW_PRIVATE_HOSTS.map(host => host.toLowerCase()),
    pace: { gapMs: given.SEND_GAP_MS, jitterMs: given.SEND_JITTER_MS, characterMs: given.TYPING_MS_PER_CHARACTER },
    jobEvents: given.JOB_EVENTS,
    told: new Set(given.WEBHOOK_UPDATES),
    finishedJobsMs: given.FAILED_JOBS_DAYS * 24 * HOUR_MS,
    retention: {
      count: given.EVENT_RETENTION_COUNT,
      ageMs: given.EVENT_RETENTION_HOURS * HOUR_MS,
      bytes: given.EVENT_RETENTION_BYTES,
    },
    undelivered: {
      session: given.UNDELIVERED_BYTES_PER_SESSION,
      partition: Math.ceil(given.UNDELIVERED_BYTES / given.PARTITIONS),
    },
    ackTimeoutMs: given.ACK_TIMEOUT_MS,
  }
}

function version(text: string): [number, number, number] {
  const [major = 0, minor = 0, build = 0] = text.split('.').map(Number)
  return [major, minor, build]
}

function isKey(base64: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(base64)
}
