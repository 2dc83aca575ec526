// Completes package-lock.json after a dependency change (`npm run lockfile`).
//
// npm leaves an optional platform package out of the lockfile when the registry in use does not carry it, and then
// `npm ci` refuses the lockfile on every machine. Each optional dependency that a locked package names gets an entry
// here; the platform is read from its name, so that npm skips it wherever it does not apply.
import { readFileSync, writeFileSync } from 'node:fs'

const systems = {
  darwin: 'darwin',
  linux: 'linux',
  win32: 'win32',
  windows: 'win32',
  android: 'android',
  freebsd: 'freebsd',
  openharmony: 'openharmony',
}
const processors = {
  arm64: 'arm64',
  x64: 'x64',
  64: 'x64',
  arm: 'arm',
  ia32: 'ia32',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
}

/** `node_modules` paths at which Node would look for `name` from the package at `from`, nearest first. */
function* candidates(from, name) {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    yield `${base ? `${base}/` : ''}node_modules/${name}`
    if (base === '') return
    if (!base.includes('/node_modules/')) base = ''
  }
}

function platformOf(name) {
  const words = name.split(/[/-]/)
  const os = words.map(word => systems[word]).find(Boolean)
  const cpu = words.map(word => processors[word]).find(Boolean)
  const libc = words.some(word => word.startsWith('musl'))
    ? 'musl'
    : os === 'linux' && words.some(word => word.startsWith('gnu'))
      ? 'glibc'
      : undefined
  return { ...(cpu && { cpu: [cpu] }), ...(os && { os: [os] }), ...(libc && { libc: [libc] }) }
}

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const added = []
for (const [from, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if ([...candidates(from, name)].some(path => lock.packages[path])) continue
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(entry.dev && { dev: true }),
      optional: true,
      ...platformOf(name),
    }
    added.push(`${name}@${version}`)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(added.length === 0 ? 'lockfile is complete' : `added ${added.length}: ${added.join(', ')}`)
