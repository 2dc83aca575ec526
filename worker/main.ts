/**
 * Starts the worker as a process of its own, and gives its partitions back should that die: its sockets are gone with it,
 * so nobody has to wait for its leases to end. It does nothing else and holds next to nothing in memory, so that it is
 * there when the worker was ended by kill -9, by a lack of memory or by a defect. The first process of a container is this
 * one: when the first ends, all others do.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('process.ts', import.meta.url))
/** What the last frames of a dead process may take on their way, in ms: they must not arrive after those of the next owner. */
const IN_FLIGHT_MS = 100
/**
 * A worker that dies so soon after it has started, in ms, and so often in a row, is not started again: the orchestrator has
 * to see it.
 */
const SHORT_LIFE_MS = 2000
const MOST_SHORT_LIVES = 5

/** Compiled code of the worker: one that starts in the place of a dead one is there in two thirds of the time. */
const given = process.env['NODE_COMPILE_CACHE']
const compiled = given ?? mkdtempSync(join(tmpdir(), 'kurir-code-'))
if (given === undefined) process.on('exit', () => rmSync(compiled, { recursive: true, force: true }))

let worker: ChildProcess
let stopping = false
let shortLives = 0

for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.on(name, () => {
    stopping = true
    worker.kill(name)
  })
}
start()

function start(): void {
  // A host may run several workers, and one that starts again is another worker to its old leases.
  const workerId = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`
  let startedAt: number | undefined
  worker = spawn(process.execPath, [...process.execArgv, PROGRAM, workerId], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_COMPILE_CACHE: compiled },
  })
  worker.on('message', () => (startedAt = performance.now()))
  worker.on('error', () => process.exit(1))
  worker.on('exit', (code, signal) => {
    if (code === 0 || startedAt === undefined) process.exit(code ?? 1)
    shortLives = performance.now() - startedAt < SHORT_LIFE_MS ? shortLives + 1 : 0
    const last = stopping || shortLives >= MOST_SHORT_LIVES
    // First the release: a worker that starts takes the CPU from those that take over.
    void release(workerId, signal ?? `code ${code}`).then(() => (last ? process.exit(code ?? 1) : start()))
  })
}

/** Never rejects: when Redis is away the leases end by themselves. */
async function release(workerId: string, how: string): Promise<void> {
  const line = { level: 'error', time: Date.now(), worker: workerId, msg: 'worker died, its partitions are given back' }
  process.stdout.write(`${JSON.stringify({ ...line, how })}\n`)
  const arrived = new Promise(resolve => setTimeout(resolve, IN_FLIGHT_MS))
  // Loaded only when it is needed: it takes more memory than all of this process.
  const { releaseAll } = await import('./ownership/release-all.ts')
  await arrived
  await releaseAll(process.env['REDIS_URL'] ?? '', workerId).catch(() => 0)
}
