import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findRedisServer } from '../redis/find.ts'

const APT_TIMEOUT_MS = 120_000
const EMBEDDED = 'the embedded Redis serves, and tests of load and of the faults of Redis are left out'

/**
 * Sees to a redis-server for the tests: installs Debian's with apt when there is none and we are root. Says what it
 * does. Without one, the embedded Redis serves.
 */
export function ensureRedisServer(say: (line: string) => void): void {
  if (findRedisServer() !== undefined) return
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    say(`no redis-server on PATH: ${EMBEDDED}`)
    return
  }
  say('no redis-server on PATH: installing it with apt-get (as root)')
  const installed = apt('install') || (apt('update') && apt('install'))
  // The tests start their own and leave nothing running, so the package's service must not stay either.
  if (installed && existsSync('/run/systemd/system')) {
    spawnSync('systemctl', ['disable', '--now', 'redis-server'], { stdio: 'ignore' })
  }
  if (!installed) say(`apt-get could not install redis-server: ${EMBEDDED}`)
}

function apt(action: 'install' | 'update'): boolean {
  const retries = ['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20']
  const what = action === 'install' ? ['install', '--yes', '--no-install-recommends', 'redis-server'] : ['update']
  const { status } = spawnSync('apt-get', ['-qq', ...retries, ...what], {
    // In runlevel 1 the package starts no service where there is no systemd.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: APT_TIMEOUT_MS,
  })
  return status === 0
}
