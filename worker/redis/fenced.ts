import type { Redis } from 'ioredis'
import { keys } from '../../shared/keys.ts'
import type { Fence } from '../ownership/fence.ts'
import { countWithin } from './batch.ts'
import { isReply, plainScript, type Argument, type Script } from './script.ts'

/** The lease is no longer ours: another worker owns the partition, and nothing was written. */
export class FencedError extends Error {
  constructor(partition: number) {
    super(`the lease of partition ${partition} is lost`)
    this.name = 'FencedError'
  }
}

/** A Lua script that runs only while the lease is held. Inside, `KEYS` and `ARGV` are the caller's own. */
export interface FencedScript {
  /**
   * Runs the script; replies are strings. Throws {@link FencedError}, or what Redis or the connection answers. Calls of one
   * partition run in their order, and those that are made in the same turn of the event loop go in one command, which
   * costs a fraction of a command each. Each has its own reply or error.
   */
  run(redis: Redis, fence: Fence, scriptKeys: readonly string[], args: readonly Argument[]): Promise<unknown>
  /** The same; replies are bytes as they are stored. */
  runForBytes(redis: Redis, fence: Fence, scriptKeys: readonly string[], args: readonly Argument[]): Promise<unknown>
}

interface Call {
  /** The script's place among all. */
  script: number
  keys: readonly string[]
  args: readonly Argument[]
  bytes: boolean
  done: PromiseWithResolvers<unknown>
}

/** Calls under one lease. */
interface Gathered {
  fence: Fence
  calls: Call[]
}

/** Most calls in one command; keeps it short for everyone else on Redis. */
const MOST_AT_ONCE = 64
/**
 * Most bytes in one command, unless a single call has more. Providers refuse commands above 10 MiB, and the refusal would
 * be the answer to all calls in it: what one sender made large would fail the others, too.
 */
export const MOST_COMMAND_BYTES = 4 * 1024 * 1024

/** All scripts; modules declare theirs when they load. */
const scripts: string[] = []
let all: { script: Script; count: number } | undefined

/**
 * What was called in this turn of the event loop: by connection, then by lease. Each partition has its own: epochs are
 * counted for each, so a worker may have the same token in several.
 */
const called = new WeakMap<Redis, Map<string, Gathered>>()

/** Declares a fenced script. `lua` sees only its own keys and arguments. */
export function fencedScript(lua: string): FencedScript {
  const script = scripts.push(lua)
  const call = (bytes: boolean): FencedScript['run'] =>
    async function run(redis, fence, scriptKeys, args) {
      const done = Promise.withResolvers<unknown>()
      gather(redis, fence, { script, keys: scriptKeys, args, bytes, done })
      return done.promise
    }
  return { run: call(false), runForBytes: call(true) }
}

// The comparison stands in the same script as the writes: a check made before the call could be stale by the time of it.
// A call that fails leaves what it did so far, as it would alone, and does not keep the others from running. But READONLY
// goes for all, and is the reply to all, since that has the connection look for the new primary and send them again.
const sourceOfAll = () => `
if redis.call('GET', table.remove(KEYS, 1)) ~= table.remove(ARGV, 1) then
  return redis.error_reply('FENCED the lease is lost')
end
local scripts = {${scripts.map(lua => `function(KEYS, ARGV)\n${lua}\nend`).join(',\n')}}
local replies = {}
local key, arg = 1, 1
while arg <= #ARGV do
  local keys, args = {}, {}
  for i = 1, tonumber(ARGV[arg + 1]) do keys[i] = KEYS[key + i - 1] end
  for i = 1, tonumber(ARGV[arg + 2]) do args[i] = ARGV[arg + 2 + i] end
  local ran, reply = pcall(scripts[tonumber(ARGV[arg])], keys, args)
  if not ran and type(reply) ~= 'table' then reply = {err = tostring(reply)} end
  if not ran and string.sub(reply.err, 1, 8) == 'READONLY' then return reply end
  if reply == nil then reply = false end
  replies[#replies + 1] = reply
  key, arg = key + #keys, arg + 3 + #args
end
return replies
`

function gather(redis: Redis, fence: Fence, call: Call): void {
  const turn = called.get(redis) ?? new Map<string, Gathered>()
  if (!called.has(redis)) {
    called.set(redis, turn)
    setImmediate(() => {
      called.delete(redis)
      for (const gathered of turn.values()) send(redis, gathered)
    })
  }
  const lease = `${fence.partition} ${fence.token}`
  const before = turn.get(lease)
  if (before === undefined) turn.set(lease, { fence, calls: [call] })
  else before.calls.push(call)
}

function send(redis: Redis, { fence, calls }: Gathered): void {
  for (let left = calls; left.length > 0;) {
    const count = countWithin(left, { count: MOST_AT_ONCE, bytes: MOST_COMMAND_BYTES }, bytesOf)
    void run(redis, fence, left.slice(0, count))
    left = left.slice(count)
  }
}

function bytesOf({ args }: Call): number {
  return args.reduce<number>((sum, arg) => sum + sizeOf(arg), 0)
}

function sizeOf(arg: Argument): number {
  return typeof arg === 'number' ? 8 : Buffer.byteLength(arg)
}

async function run(redis: Redis, fence: Fence, calls: readonly Call[]): Promise<void> {
  const scriptKeys = [keys.lease(fence.partition), ...calls.flatMap(call => call.keys)]
  const args = calls.flatMap(call => [call.script, call.keys.length, call.args.length, ...call.args])
  if (all?.count !== scripts.length) all = { script: plainScript(sourceOfAll()), count: scripts.length }
  try {
    const forBytes = calls.some(({ bytes }) => bytes)
    const { script } = all
    const withToken = [fence.token, ...args]
    const replying = forBytes
      ? script.runForBytes(redis, scriptKeys, withToken)
      : script.run(redis, scriptKeys, withToken)
    const replies = (await replying) as unknown[]
    for (const [i, { done, bytes }] of calls.entries()) {
      const reply = forBytes && !bytes ? toText(replies[i]) : replies[i]
      if (reply instanceof Error) done.reject(reply)
      else done.resolve(reply)
    }
  } catch (error) {
    const reason = isReply(error, 'FENCED') ? new FencedError(fence.partition) : error
    for (const { done } of calls) done.reject(reason)
  }
}

/** A reply of bytes as strings, for calls that went together with one that asked for bytes. */
function toText(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString()
  return Array.isArray(reply) ? reply.map(toText) : reply
}
