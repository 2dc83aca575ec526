import { readFileSync } from 'node:fs'
import { createRequire, findPackageJSON } from 'node:module'

/** A package of which members are replaced here, and the version for which that was made. */
export interface Vendor {
  name: string
  version: string
}

/** What is installed is not what the patches were made for: they could fail without a sign. */
export class VendorMismatch extends Error {
  constructor(problems: readonly string[]) {
    super(`cannot work with the Baileys that is installed: ${problems.join('; ')}`)
    this.name = 'VendorMismatch'
  }
}

const BAILEYS = import.meta.resolve('@whiskeysockets/baileys')
const fromBaileys = createRequire(BAILEYS)

/** The packages whose members are replaced. `whatsapp-rust-bridge` and libsignal are those that Baileys itself loads. */
export const VENDORS: readonly Vendor[] = [
  { name: '@whiskeysockets/baileys', version: '7.0.0-rc14' },
  { name: 'libsignal', version: '6.0.0' },
  { name: 'whatsapp-rust-bridge', version: '0.5.4' },
]

/**
 * A module of the libsignal that Baileys uses, to change in this whole process, such as `libsignal/src/curve.js`. It does
 * not load Baileys. The caller says what is in it, since the package has no types of its insides.
 */
export function libsignal(path = 'libsignal'): unknown {
  return fromBaileys(path)
}

/** The version of a vendor that Baileys itself would load, or undefined when there is none. */
export function installedVersion(name: string): string | undefined {
  const manifest = manifestOf(name)
  if (manifest === undefined) return undefined
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: unknown }
  return typeof version === 'string' ? version : undefined
}

function manifestOf(name: string): string | undefined {
  try {
    return findPackageJSON(name, BAILEYS)
  } catch {
    return undefined
  }
}

/** Throws {@link VendorMismatch} unless every vendor is there in its version. */
export function expectVersions(vendors = VENDORS, versionOf = installedVersion): void {
  const problems = vendors.flatMap(({ name, version }) => {
    const found = versionOf(name)
    return found === version ? [] : [`${name} is ${found ?? 'missing'}, not ${version}`]
  })
  if (problems.length > 0) throw new VendorMismatch(problems)
}

/** Throws {@link VendorMismatch} unless each object has functions (or, of a class, getters) under these names. */
export function expectMembers(
  members: Readonly<Record<string, readonly [object | undefined, readonly string[]]>>,
): void {
  const problems = Object.entries(members).flatMap(([name, [owner, wanted]]) =>
    wanted.filter(member => !has(owner, member)).map(member => `${name} has no ${member}`),
  )
  if (problems.length > 0) throw new VendorMismatch(problems)
}

function has(owner: object | undefined, member: string): boolean {
  if (owner === undefined) return false
  const described = Object.getOwnPropertyDescriptor(owner, member)
  return described?.get !== undefined || typeof described?.value === 'function'
}
