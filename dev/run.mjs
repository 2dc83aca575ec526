// Runs a TypeScript file of this repository on a Node that can: `node dev/run.mjs dev/start.ts --live`.
//
// Plain JavaScript without dependencies, because it is what a fresh clone on Node 20 starts with: it installs what is
// missing, finds a Node that strips types, and passes arguments, signals and the exit code through.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')

/** npm and a terminal both pass Ctrl-C on: signals within this time of each other are one. */
const SAME_SIGNAL_MS = 500
/** How often a run that npm has started looks whether npm is still there. */
const PARENT_CHECK_MS = 500

/** Whether this version of Node runs .ts files as they are: 22.18 and later, 23.6 and later. */
function stripsTypes(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  return major >= 24 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18)
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

/** Why `npm ci` is due, or undefined. npm writes its own record last, so an install that was cut off has none. */
function staleness() {
  // A linked folder is another checkout's, and npm would empty it.
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) return undefined
  const installed = packagesOf(join(modules, '.package-lock.json'))
  if (installed === undefined) return 'dependencies are not installed'
  const locked = packagesOf(join(root, 'package-lock.json'))
  if (locked === undefined) return undefined
  for (const [path, entry] of Object.entries(locked)) {
    if (path === '') continue
    const version = installed[path]?.version
    // An optional package of another platform is rightly absent.
    if (version === undefined ? !entry.optional : version !== entry.version) return 'dependencies have changed'
  }
  return undefined
}

function install(reason) {
  console.log(`kurir: ${reason}: running npm ci (once; about a minute with an empty npm cache)`)
  // The npm that started us if there is one, so that a machine with several uses the one the user chose.
  const npm = process.env.npm_execpath
  const args = ['ci', '--include=dev', '--include=optional', '--prefer-offline']
  const [command, argv] = npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : ['npm', args]
  const { status, error } = spawnSync(command, argv, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) fail(`npm ci failed${error ? `: ${error.message}` : ''}`)
}

/** The path of a Node that strips types: this process's own, or the one that is locked as a dependency. */
function findNode() {
  if (stripsTypes(process.version)) return process.execPath
  const bundled = join(modules, '.bin', 'node')
  if (!existsSync(bundled)) {
    fail(`needs Node 22.18 or later on ${process.platform}-${process.arch} (this is ${process.version})`)
  }
  const probe = spawnSync(bundled, ['--version'], { encoding: 'utf8' })
  if (probe.status !== 0 || !stripsTypes(probe.stdout)) {
    fail(`the bundled Node does not run on this system: install Node 24 (this is ${process.version})`)
  }
  return bundled
}

function fail(message) {
  console.error(`kurir: ${message}`)
  process.exit(1)
}

/**
 * Runs the script in a process group of its own: it gets each signal once, and whatever it may leave behind is in the
 * group and ends with it. The IPC channel tells it when this process is gone, even by kill -9.
 */
function run(node, script, args) {
  const child = spawn(node, [join(root, script), ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
    env: { ...process.env, PATH: `${join(modules, '.bin')}:${process.env.PATH ?? ''}` },
  })
  let last = -Infinity
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      const now = performance.now()
      if (now - last > SAME_SIGNAL_MS) child.kill(signal)
      last = now
    })
  }
  if (process.env.npm_lifecycle_event !== undefined) {
    // npm cannot pass kill -9 on.
    const parent = process.ppid
    setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), PARENT_CHECK_MS).unref()
  }
  child.on('error', error => fail(error.message))
  child.on('exit', (code, signal) => {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // The group is empty, as it should be.
    }
    process.exit(code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGTERM' ? 15 : signal === 'SIGHUP' ? 1 : 9))
  })
}

const [script, ...args] = process.argv.slice(2)
if (script === undefined) fail('usage: node dev/run.mjs <script.ts> [arguments]')
const reason = staleness()
if (reason !== undefined) install(reason)
run(findNode(), script, args)
