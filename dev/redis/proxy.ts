import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** One command as it was sent, its name first. */
type Words = readonly string[]

/** A TCP proxy before a Redis, which does what networks and providers do. */
export interface RedisProxy {
  url: string
  /**
   * The connections that are open now pass nothing more, either way, and nobody is told. Those that are made later work.
   * With a name: only those whose client has given itself a name that has it in it. Answers how many they are.
   */
  silence(name?: string): number
  /** Answers the commands for which `matches` holds with this error instead of passing them on; undefined ends it. */
  refuse(error: string | undefined, matches?: (words: Words) => boolean): void
  /** Names of the clients that are connected and not silent. */
  clients(): string[]
  close(): Promise<void>
}

/** A client's connection, and its own to Redis. */
interface Pair {
  name: string
  silent: boolean
  sockets: readonly [client: Socket, server: Socket]
}

/** Starts a proxy on loopback. For tests. */
export async function startRedisProxy(redisUrl: string): Promise<RedisProxy> {
  const { hostname, port } = new URL(redisUrl)
  const pairs = new Set<Pair>()
  let refusal: { error: string; matches: (words: Words) => boolean } | undefined

  const server = createServer(client => {
    const upstream = connect(Number(port), hostname)
    const pair: Pair = { name: '', silent: false, sockets: [client, upstream] }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      // One that is silent leaves Redis in the dark too.
      if (!pair.silent) upstream.destroy()
    }
    for (const socket of pair.sockets) socket.on('error', end).on('close', end)
    upstream.on('data', bytes => void (pair.silent || client.write(bytes)))
    const read = createReader((words, bytes) => {
      if (/^client$/i.test(words[0] ?? '') && /^setname$/i.test(words[1] ?? '')) pair.name = words[2] ?? ''
      if (refusal?.matches(words) === true) client.write(`-${refusal.error}\r\n`)
      else upstream.write(bytes)
    })
    client.on('data', bytes => void (pair.silent || read(bytes)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence(name = '') {
      const chosen = [...pairs].filter(pair => !pair.silent && pair.name.includes(name))
      for (const pair of chosen) pair.silent = true
      return chosen.length
    },
    refuse(error, matches = () => true) {
      refusal = error === undefined ? undefined : { error, matches }
    },
    clients: () => [...pairs].filter(pair => !pair.silent).map(pair => pair.name),
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const { sockets } of pairs) for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Cuts what a client sends into commands: arrays of bulk strings, as every client sends them. */
function createReader(onCommand: (words: Words, bytes: Buffer) => void): (bytes: Buffer) => void {
  let held: Buffer = Buffer.alloc(0)
  return bytes => {
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes])
    for (let command = readCommand(held); command !== undefined; command = readCommand(held)) {
      onCommand(command.words, held.subarray(0, command.length))
      held = held.subarray(command.length)
    }
  }
}

/** The command at the head, once it is there as a whole. */
function readCommand(bytes: Buffer): { words: string[]; length: number } | undefined {
  let at = 0
  const readNumber = () => {
    const end = bytes.indexOf('\r\n', at)
    if (end === -1) return undefined
    const number = Number(bytes.toString('latin1', at + 1, end))
    at = end + 2
    return number
  }
  const count = readNumber()
  if (count === undefined) return undefined
  const words: string[] = []
  for (let i = 0; i < count; i++) {
    const length = readNumber()
    if (length === undefined || at + length + 2 > bytes.length) return undefined
    words.push(bytes.toString('utf8', at, at + Math.min(length, 200)))
    at += length + 2
  }
  return { words, length: at }
}
