import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterEach, expect, it } from 'vitest'
import { startRedis } from '../../dev/redis/start.ts'
import { SettingsError } from '../settings.ts'
import { checkServer, type Server } from './server-check.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const MEMORY = 'maxmemory_policy:optimistic-volatile\r\n'

/** A server whose INFO says what is given; a section without an answer may not be asked for. */
function answering(sections: Readonly<Record<string, string>>): Server {
  return {
    async info(section: string) {
      const answer = sections[section]
      if (answer !== undefined) return answer
      throw Object.assign(new Error('NOPERM this user has no permissions'), { name: 'ReplyError' })
    },
    config: async () => [],
  }
}

async function warningsOf(sections: Readonly<Record<string, string>>, url = 'redis://127.0.0.1:6379') {
  const lines: string[] = []
  const log = pino({}, { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) })
  await checkServer(answering(sections), url, log)
  return lines
}

it('refuses a Redis Cluster in one line that names the setting', async () => {
  const refused = warningsOf({ cluster: 'cluster_enabled:1\r\n', memory: '', persistence: '' })
  await expect(refused).rejects.toThrow(SettingsError)
  await expect(refused).rejects.toThrow(/^REDIS_URL names a Redis Cluster/)
})

it('starts where the user may not INFO', async () => {
  expect(await warningsOf({})).toEqual([])
})

it('says where eviction is turned off', async () => {
  const [own] = await warningsOf({ cluster: '', memory: MEMORY, persistence: '' })
  expect(own).toMatch(/set noeviction$/)
  const [hosted] = await warningsOf({ memory: MEMORY }, 'rediss://default:secret@eu1-x-1.upstash.io:6379')
  expect(hosted).toMatch(/turn Eviction off in the console of Upstash$/)
  expect(hosted).not.toContain('secret')
})

it('has nothing to say of a real server that keeps what it has', async () => {
  const server = await startRedis()
  const redis = new Redis(server.url)
  closers.push(
    () => server.close(),
    () => redis.disconnect(),
  )
  const lines: string[] = []
  await checkServer(redis, server.url, pino({}, { write: (line: string) => void lines.push(line) }))
  // The test's server keeps nothing over a restart, and that alone is said.
  expect(lines.filter(line => !line.includes('keeps nothing over a restart'))).toEqual([])
})
