import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findRedisServer } from '../dev/redis/find.ts'
import { createSimulatorClient } from '../dev/simulator/client.ts'
import { until } from '../dev/stack/until.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const IN_CLONE = [
  'dev',
  'edge',
  'shared',
  'worker',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'wrangler.toml',
]
let clone = ''
let started: ChildProcess | undefined

beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), 'kurir-clone-'))
  for (const name of IN_CLONE) await cp(join(ROOT, name), join(clone, name), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(clone, 'node_modules'))
})
afterEach(async () => {
  started?.kill('SIGKILL')
  await leftovers()
  await rm(clone, { recursive: true, force: true })
})

/** Processes that know the clone by their environment or arguments, zombies aside: all that the start has started. */
async function family(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const ours = await Promise.all(
    pids.map(async pid => {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '')
      const [environment, command, status] = await Promise.all([read('environ'), read('cmdline'), read('stat')])
      const known = environment.includes(clone) || command.includes(clone)
      return known && status !== '' && !/\) [ZX] /.test(status) ? [`${pid} ${command.replaceAll('\0', ' ')}`] : []
    }),
  )
  return ours.flat()
}

/** What still runs once everything had its time to end. */
async function leftovers(): Promise<string[]> {
  await until('everything to end', async () => (await family()).length === 0).catch(() => {})
  return family()
}

/** `npm start` in the clone, as from a shell. */
function npmStart(...args: string[]): { child: ChildProcess; output: () => string } {
  const child = spawn('npm', ['start', '--', ...args], { cwd: clone, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (text += String(chunk)))
  started = child
  return { child, output: () => text }
}

/** Starts, waits until it is ready, and pastes the curl that it prints. */
async function startAndPaste() {
  const { child, output } = npmStart()
  const ready = await until('the stack to be ready', () => /Kurir is ready \(([\d.]+) s\)/.exec(output()), {
    timeoutMs: 60_000,
  }).catch((error: unknown) => {
    throw new Error(output(), { cause: error })
  })
  const [curl] = await until('the curl', () => /^curl -sS \S+\/v1\/jobs[^]*?'$/m.exec(output()))
  const { stdout } = await promisify(execFile)('bash', ['-c', curl])
  expect(JSON.parse(stdout)).toMatchObject({ jobs: [{ name: 'START_SESSION' }, { name: 'SEND_TEXT' }] })
  const file = join(clone, '.kurir/stack.json')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  const { simulator } = JSON.parse(await readFile(file, 'utf8')) as { simulator: string }
  return { child, output, seconds: Number(ready[1]), simulator: createSimulatorClient(simulator) }
}

/** Ctrl-C, and the end of npm. */
async function interrupt(child: ChildProcess): Promise<void> {
  child.kill('SIGINT')
  await until('npm to end', () => child.exitCode !== null || child.signalCode !== null)
}

it('prints a curl that works when pasted, and leaves nothing running after Ctrl-C', async () => {
  const { child, output, seconds, simulator } = await startAndPaste()
  // A busy machine takes longer; what it takes on one that is not is in the README.
  expect(seconds).toBeLessThan(45)
  const [received] = await simulator.waitForReceived(1)
  expect(received?.text).toBe('Halo, ini pesan dari API!')
  expect((await family()).length).toBeGreaterThan(4)
  await interrupt(child)
  expect(await leftovers()).toEqual([])
  expect(output()).not.toMatch(/npm error/)
})

it.skipIf(findRedisServer() === undefined)('keeps sessions linked over a restart', async () => {
  const first = await startAndPaste()
  await first.simulator.waitForReceived(1)
  await interrupt(first.child)
  const { child, output, simulator } = await startAndPaste()
  const sent = async () => (await simulator.received()).map(({ text }) => text)
  await until('the text', async () => (await sent()).includes('Halo, ini pesan dari API!'))
  await until('its event to be told', () => output().includes('demo #'))
  expect(output()).not.toContain('QR to scan')
  await interrupt(child)
})

it('leaves nothing running when it is stopped while it starts', async () => {
  const { child } = npmStart()
  await until('the first children', async () => (await family()).length > 4)
  child.kill('SIGTERM')
  expect(await leftovers()).toEqual([])
})

it('leaves nothing running when npm itself is killed', async () => {
  const { child, output } = npmStart()
  await until('the stack to be ready', () => output().includes('Kurir is ready'), { timeoutMs: 60_000 })
  child.kill('SIGKILL')
  expect(await leftovers()).toEqual([])
})

it('stops, and says why, when a part dies', async () => {
  const { child, output } = npmStart()
  const [, pid] = await until('the worker', () => /\(pid (\d+)\)/.exec(output()), { timeoutMs: 60_000 })
  process.kill(Number(pid), 'SIGKILL')
  await until('npm to end', () => child.exitCode !== null)
  expect(child.exitCode).toBe(1)
  await until('the reason', () => output().includes('kurir: worker was ended by SIGKILL'))
  expect(await leftovers()).toEqual([])
})
