import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readSettings, SettingsError } from './settings.ts'

const env = {
  REDIS_URL: 'redis://:hunter2@127.0.0.1:6379',
  WEBHOOK_URL: 'https://example.com/hook',
  WEBHOOK_SECRET: 'whsec_one, whsec_two',
  CREDENTIALS_KEY: randomBytes(32).toString('base64'),
}

describe('readSettings', () => {
  it('takes what is needed and fills in the rest', () => {
    expect(
      readSettings({ ...env, ALLOW_PRIVATE_HOSTS: 'Localhost:9000,127.0.0.1:80,[::1]:8080', LOG_LEVEL: '' }),
    ).toMatchObject({
      redisUrl: env.REDIS_URL,
      webhookSecrets: ['whsec_one', 'whsec_two'],
      credentialsKeys: [env.CREDENTIALS_KEY],
      partitions: 1,
      port: 8080,
      logLevel: 'info',
      allowPrivateHosts: ['localhost:9000', '127.0.0.1:80', '[::1]:8080'],
      finishedJobsMs: 7 * 24 * 3_600_000,
      pace: { gapMs: 0, jitterMs: 0, characterMs: 0 },
      jobEvents: false,
      retention: { count: 1000, ageMs: 86_400_000 },
      ackTimeoutMs: 30_000,
      mediaMaxBytes: 104_857_600,
      waVersion: undefined,
    })
  })

  it('reads the version of WhatsApp Web', () => {
    expect(readSettings({ ...env, WA_VERSION: '2.3000.1234567' }).waVersion).toEqual([2, 3000, 1_234_567])
  })

  it.each(['REDIS_URL', 'WEBHOOK_URL', 'WEBHOOK_SECRET', 'CREDENTIALS_KEY'])('names %s when it is missing', name => {
    expect(() => readSettings({ ...env, [name]: undefined })).toThrow(new SettingsError(`${name} is missing`))
    expect(() => readSettings({ ...env, [name]: '' })).toThrow(new SettingsError(`${name} is missing`))
  })

  it.each([
    ['REDIS_URL', 'http://secret.example'],
    ['WEBHOOK_URL', 'file:///secret'],
    ['WEBHOOK_SECRET', ' , '],
    ['CREDENTIALS_KEY', 'c2VjcmV0'],
    ['PARTITIONS', '0secret'],
    ['PARTITIONS', '257'],
    ['PORT', 'secret'],
    ['LOG_LEVEL', 'secret'],
    ['WA_WEBSOCKET_URL', 'https://secret'],
    ['WA_NOISE_ROOT_KEY', 'secret'],
    ['ALLOW_PRIVATE_HOSTS', 'secret'],
    ['ALLOW_PRIVATE_HOSTS', 'http://secret:80'],
    ['SEND_GAP_MS', '-1'],
    ['JOB_EVENTS', 'secret'],
    ['EVENT_RETENTION_HOURS', '0'],
    ['EVENT_RETENTION_COUNT', '1.5'],
    ['ACK_TIMEOUT_MS', 'secret'],
    ['WA_VERSION', '2.3000'],
    ['WA_VERSION', '2.3000.1-secret.'],
    ['MEDIA_MAX_BYTES', '0'],
    ['MEDIA_MAX_BYTES', '3000000000'],
  ])('names a bad %s in one line and does not show it', (name, value) => {
    const read = () => readSettings({ ...env, [name]: value })
    expect(read).toThrow(SettingsError)
    expect(read).toThrow(new RegExp(`^${name} must be [^\n]+$`))
    expect(read).not.toThrow(/secret\.|c2Vj|0secret|\/secret/)
  })
})
