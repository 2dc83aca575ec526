// Completes package-lock.json after a dependency change: `npm run lockfile`.
//
// npm leaves an optional platform package out of the lockfile when the registry in use does not carry it, and then
// `npm ci` refuses the lockfile on every machine. Each optional dependency that a locked package names gets an entry
// here. Its platform is read from its name, so that npm skips it wherever it does not apply.
import { readFileSync, writeFileSync } from 'node:fs'

const SYSTEMS = new Map([
  ['windows', 'win32'],
  ...['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'].map(name => [name, name]),
])
const PROCESSORS = new Map([
  ['64', 'x64'],
  ...['arm', 'arm64', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'].map(name => [name, name]),
])

/** The platform that a package's name tells, as npm's fields: `{os: ['linux'], cpu: ['arm64'], libc: ['musl']}`. */
function platformOf(name) {
  const words = name.split(/[/-]/)
  const os = words.map(word => SYSTEMS.get(word)).find(Boolean)
  const cpu = words.map(word => PROCESSORS.get(word)).find(Boolean)
  const musl = words.some(word => word.startsWith('musl'))
  const glibc = os === 'linux' && words.some(word => word.startsWith('gnu'))
  return {
    ...(cpu && { cpu: [cpu] }),
    ...(os && { os: [os] }),
    ...((musl || glibc) && { libc: [musl ? 'musl' : 'glibc'] }),
  }
}

/** Where Node looks for a package from the one at `path` (`''` is the root), nearest first. */
function lookupPaths(path, name) {
  const folders = path === '' ? [] : path.split(/\/?node_modules\//).slice(1)
  return Array.from({ length: folders.length + 1 }, (_, up) =>
    [...folders.slice(0, folders.length - up), name].map(folder => `node_modules/${folder}`).join('/'),
  )
}

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const added = []
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lookupPaths(path, name).some(candidate => lock.packages[candidate] !== undefined)) continue
    const dev = entry.dev === true && { dev: true }
    lock.packages[`node_modules/${name}`] = { version, ...dev, optional: true, ...platformOf(name) }
    added.push(`${name}@${version}`)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(added.length === 0 ? 'lockfile is complete' : `added ${added.length}: ${added.join(', ')}`)
