import { keys } from '../../shared/keys.ts'
import { fencedScript } from '../redis/fenced.ts'
import { persist } from '../redis/persist.ts'
import { readBytes } from '../redis/reads.ts'
import type { Place } from './cipher.ts'
import { createNames, isPlainName, NAMES, newNamesSecret, placeOf, type NameOf } from './names.ts'
import type { Entry, HashDeps } from './entry.ts'
import { locate, packBlock, unpackBlock } from './pre-keys.ts'
import type { Known } from './read-cache.ts'
import { renameFields } from './rename.ts'

/**
 * The hash of a session's credentials in Redis. Here values are encrypted, fields get names that tell nothing, and
 * pre-keys are put together. One call of `write` at a time. All throw `FencedError` once the lease is lost, and wait
 * while Redis is away.
 */
export interface CredentialsHash {
  /** The values in the order of their places, null for what is not there. Throws `UnreadableError`. */
  read(places: readonly Place[]): Promise<Known[]>
  write(entries: readonly Entry[]): Promise<void>
  /** Whether the hash is known not to have it, so that it need not be asked for. */
  lacks(place: Place): boolean
  /** Removes the hash. */
  remove(): Promise<void>
}

// unpack() pushes its values on Lua's stack, which is limited; 1000 is even, so pairs stay together.
const WRITE = fencedScript(`
local last = tonumber(ARGV[1]) + 1
for first = 2, last, 1000 do
  redis.call('HSET', KEYS[1], unpack(ARGV, first, math.min(first + 999, last)))
end
for first = last + 1, #ARGV, 1000 do
  redis.call('HDEL', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
return 1
`)

const REMOVE = fencedScript(`return redis.call('DEL', KEYS[1])`)

const SURVEY = fencedScript(`return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HKEYS', KEYS[1])}`)

/** What is known of a hash once it was looked at. */
interface Opened {
  nameOf: NameOf
  secret: Buffer
  /**
   * The names of its fields: nobody else writes it while the lease is ours, so what is new need not be asked for. It may
   * have what is gone, but never misses what is there.
   */
  fields: Set<string>
  /** Whether the secret is in Redis. */
  kept: boolean
}

/** See {@link CredentialsHash}. Redis is asked nothing before the first call. */
export function openHash({ redis, log, fence, cipher }: HashDeps, sessionId: string): CredentialsHash {
  const hash = keys.credentials(sessionId)
  let opening: Promise<Opened> | undefined
  let opened: Opened | undefined
  // A pre-key is read when a new contact writes, and removed right after that: the block is not read twice.
  let latest: { name: string; bytes: Known } | undefined
  let writes = 0

  async function open(): Promise<Opened> {
    opening ??= survey()
    try {
      return await opening
    } catch (error) {
      opening = undefined
      throw error
    }
  }

  async function survey(): Promise<Opened> {
    const [envelope, found] = (await persist(
      async () => SURVEY.runForBytes(redis, fence, [hash], [NAMES]),
      fence,
      log,
    )) as [Buffer | null, Buffer[]]
    const secret = envelope ? cipher.decrypt(envelope, placeOf(sessionId, NAMES)) : newNamesSecret()
    const all = found.map(String)
    const fields = new Set(all.filter(field => !isPlainName(field)))
    const known = { nameOf: createNames(secret), secret, fields, kept: envelope !== null }
    const plain = all.filter(isPlainName)
    if (plain.length > 0)
      await renameFields({ redis, log, fence, cipher }, sessionId, plain, (...given) => put(known, ...given))
    opened = known
    return known
  }

  async function readNames(names: readonly string[]): Promise<Known[]> {
    const envelopes = await persist(async () => readBytes(redis, fence, hash, names), fence, log)
    return names.map((name, i) => {
      const envelope = envelopes[i]
      return envelope ? cipher.decrypt(envelope, placeOf(sessionId, name)) : null
    })
  }

  async function readBlocks(known: Opened, names: readonly string[]): Promise<Map<string, Known>> {
    const blocks = new Map<string, Known>()
    const missing: string[] = []
    for (const name of names) {
      if (latest?.name === name) blocks.set(name, latest.bytes)
      else if (known.fields.has(name)) missing.push(name)
      else blocks.set(name, null)
    }
    if (missing.length === 0) return blocks
    const before = writes
    const found = await readNames(missing)
    for (const [i, name] of missing.entries()) blocks.set(name, found[i] ?? null)
    const [only] = missing
    // A write that ended in between has made something newer.
    if (missing.length === 1 && only !== undefined && writes === before)
      latest = { name: only, bytes: found[0] ?? null }
    return blocks
  }

  /** What the pre-keys among the entries make of their blocks. */
  async function changedBlocks(known: Opened, entries: readonly Entry[]): Promise<Map<string, Known>> {
    const at = entries.map(({ place: { id }, value }) => ({ ...located(known, id), value }))
    const before = await readBlocks(known, [...new Set(at.map(({ name }) => name))])
    const blocks = new Map([...before].map(([name, bytes]) => [name, unpackBlock(bytes)]))
    for (const { name, place, value } of at) {
      if (value === null) blocks.get(name)?.delete(place)
      else blocks.get(name)?.set(place, value)
    }
    return new Map([...blocks].map(([name, block]) => [name, packBlock(block)]))
  }

  async function put(known: Opened, entries: readonly Entry[], gone: readonly string[] = []): Promise<void> {
    const blocks = await changedBlocks(known, entries.filter(isPreKey))
    const values = new Map(blocks)
    for (const entry of entries) if (!isPreKey(entry)) values.set(known.nameOf(entry.place), entry.value)
    if (!known.kept && values.size > 0) values.set(NAMES, known.secret)
    const sets: (string | Buffer)[] = []
    const removals = [...gone]
    for (const [name, value] of values) {
      if (value !== null) sets.push(name, cipher.encrypt(value, placeOf(sessionId, name)))
      else if (known.fields.has(name)) removals.push(name)
    }
    if (sets.length + removals.length === 0) return
    // Before the write, since whether it was done is unknown when it fails.
    for (const [name, value] of values) if (value !== null) known.fields.add(name)
    try {
      await persist(async () => WRITE.run(redis, fence, [hash], [sets.length, ...sets, ...removals]), fence, log)
      const [block] = blocks
      latest = block && { name: block[0], bytes: block[1] }
    } catch (error) {
      latest = undefined
      throw error
    } finally {
      writes += 1
    }
    known.kept ||= sets.length > 0
  }

  return {
    async read(places) {
      const known = await open()
      const at = places.map(place => (isPreKey({ place }) ? locate(place.id) : undefined))
      const names = places.map((place, i) => known.nameOf({ type: place.type, id: at[i]?.block ?? place.id }))
      const blockNames = names.filter((_, i) => at[i] !== undefined)
      const blocks = await readBlocks(known, [...new Set(blockNames)])
      const others = names.filter((_, i) => at[i] === undefined)
      const found = others.length > 0 ? await readNames(others) : []
      const values = new Map(others.map((name, i) => [name, found[i] ?? null]))
      return names.map((name, i) => {
        const place = at[i]?.place
        if (place === undefined) return values.get(name) ?? null
        return unpackBlock(blocks.get(name) ?? null).get(place) ?? null
      })
    },
    write: async entries => put(await open(), entries),
    lacks: place => opened !== undefined && !isPreKey({ place }) && !opened.fields.has(opened.nameOf(place)),
    async remove() {
      await persist(async () => REMOVE.run(redis, fence, [hash], []), fence, log)
    },
  }
}

const isPreKey = ({ place }: Pick<Entry, 'place'>): boolean => place.type === 'pre-key'

function located({ nameOf }: Opened, id: string): { name: string; place: number } {
  const at = locate(id)
  if (at === undefined) throw new TypeError('not the id of a pre-key')
  return { name: nameOf({ type: 'pre-key', id: at.block }), place: at.place }
}
