import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Most bytes of a reply on most plans of Upstash; above, an error is the reply, after the command has run. */
export const MOST_REPLY_BYTES = 10 * 1024 * 1024

/** A Redis behind a provider's limit. */
export interface LimitedRedis {
  url: string
  /** Replies that were refused so far. */
  readonly refused: number
  close(): Promise<void>
}

/** Passes connections on to a Redis, and answers as a provider does in place of replies that are too large. */
export async function limitReplies(redisUrl: string, most: number = MOST_REPLY_BYTES): Promise<LimitedRedis> {
  const { hostname, port } = new URL(redisUrl)
  const sockets = new Set<Socket>()
  let refused = 0
  const server = createServer(client => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket.on('error', () => {}))
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    const take = replies(reply => {
      if (reply.length > most) refused++
      const error = `-ERR max request size exceeded. Limit: ${most} bytes, Actual: ${reply.length} bytes\r\n`
      client.write(reply.length > most ? error : reply)
    })
    upstream.on('data', take)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get refused() {
      return refused
    },
    async close() {
      const closed = new Promise(resolve => server.close(resolve))
      sockets.forEach(socket => socket.destroy())
      await closed
    },
  }
}

/** Cuts a stream of RESP2 into replies. */
function replies(each: (reply: Buffer) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = []
  let size = 0
  let needed = 1
  return chunk => {
    chunks.push(chunk)
    size += chunk.length
    if (size < needed) return
    let all = Buffer.concat(chunks)
    for (;;) {
      const { end, complete } = endOf(all, 0)
      if (!complete) {
        needed = end
        break
      }
      each(all.subarray(0, end))
      all = all.subarray(end)
      needed = 1
      if (all.length === 0) break
    }
    chunks = all.length > 0 ? [all] : []
    size = all.length
  }
}

/** Where the reply ends that begins at `from`; of one that is not complete, the least it still needs. */
function endOf(bytes: Buffer, from: number): { end: number; complete: boolean } {
  let at = from
  for (let left = 1; left > 0; left--) {
    const line = bytes.indexOf('\r\n', at)
    if (line === -1) return { end: bytes.length + 1, complete: false }
    const kind = bytes[at]
    const count = Number(bytes.toString('latin1', at + 1, line))
    at = line + 2
    if (kind === 0x24 && count >= 0) at += count + 2
    if (kind === 0x2a && count > 0) left += count
    if (at > bytes.length) return { end: at, complete: false }
  }
  return { end: at, complete: true }
}
