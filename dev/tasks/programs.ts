import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findFfmpeg } from '../../worker/whatsapp/media/decoder/ffmpeg.ts'
import { findRedisServer } from '../redis/find.ts'

const APT_TIMEOUT_MS = 300_000

/** A program that tests use, from Debian's package of the same name. */
interface Program {
  name: string
  find: () => string | undefined
  /** What becomes of the tests without it. */
  without: string
  /** Whether the package starts a service, which must not stay: tests start their own. */
  isService: boolean
}

const PROGRAMS: readonly Program[] = [
  {
    name: 'redis-server',
    find: findRedisServer,
    without: 'the embedded Redis serves, and tests of load and of the faults of Redis are left out',
    isService: true,
  },
  {
    name: 'ffmpeg',
    find: () => findFfmpeg(process.env['PATH']),
    without: 'tests of converting sound and videos are skipped',
    isService: false,
  },
]

/**
 * Sees to the programs that tests use: installs Debian's with apt when there are none and we are root. Says what it does,
 * and what is not tested without them.
 */
export function ensurePrograms(say: (line: string) => void): void {
  const missing = PROGRAMS.filter(({ find }) => find() === undefined)
  if (missing.length === 0) return
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const names = missing.map(({ name }) => name)
    say(`not on PATH: ${names.join(', ')}: installing with apt-get (as root)`)
    const isInstalled = apt('install', ...names) || (apt('update') && apt('install', ...names))
    const services = missing.filter(({ isService }) => isService).map(({ name }) => name)
    if (isInstalled && services.length > 0 && existsSync('/run/systemd/system')) {
      spawnSync('systemctl', ['disable', '--now', ...services], { stdio: 'ignore' })
    }
  }
  for (const { name, find, without } of missing) if (find() === undefined) say(`no ${name} on PATH: ${without}`)
}

function apt(action: 'install' | 'update', ...packages: string[]): boolean {
  const retries = ['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20']
  const what = action === 'install' ? ['install', '--yes', '--no-install-recommends', ...packages] : ['update']
  const { status } = spawnSync('apt-get', ['-qq', ...retries, ...what], {
    // In runlevel 1 a package starts no service where there is no systemd.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: APT_TIMEOUT_MS,
  })
  return status === 0
}
