import { inflateSync } from 'node:zlib'
import { decodeBinaryNode, encodeBinaryNode, type BinaryNode, type proto } from '@whiskeysockets/baileys'
import { WebSocket } from 'ws'
import type { Context } from './context.ts'
import { createFrameReader, frameOf } from './frames.ts'
import { createNoiseServer, type NoiseServer, type Transport } from './noise.ts'
import { node } from './nodes.ts'
import type { Connection } from './world.ts'

/** What a connection hands on once its client has introduced itself. */
export type ConnectionEvents = {
  opened(connection: Connection): void
  hello(connection: Connection, payload: proto.ClientPayload, clientStatic: Buffer): void
  stanza(connection: Connection, stanza: BinaryNode): void
  /** A stanza that came after the server had ended the stream. */
  late(connection: Connection, stanza: BinaryNode): void
  closed(connection: Connection): void
}

/** Runs the server side of one socket. A client that breaks the protocol is cut and the reason is logged. */
export function acceptConnection(context: Context, socket: WebSocket, number: number, events: ConnectionEvents): void {
  const reader = createFrameReader()
  let noise: NoiseServer | undefined
  let transport: Transport | undefined
  let work = Promise.resolve()
  let finished = false

  /** Does it when the frame has come all the way; the frames of a direction stay in order. */
  const after = (wayMs: number, arrive: () => void): void => {
    if (wayMs > 0) setTimeout(arrive, wayMs)
    else arrive()
  }
  const write = (bytes: Buffer): void =>
    after(context.settings.awayMs / 2, () => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes)
    })

  // What one stanza causes goes out in one piece: a write for each of an ack and its receipts costs more than they do.
  let outgoing: Buffer[] = []
  const flush = (): void => {
    if (outgoing.length > 0) write(Buffer.concat(outgoing))
    outgoing = []
  }

  const connection: Connection = {
    number,
    openedAt: Date.now(),
    closedAt: undefined,
    state: 'handshake',
    device: undefined,
    frozen: false,
    send(stanza) {
      if (!transport || connection.frozen || socket.readyState !== WebSocket.OPEN) return
      if (outgoing.length === 0) queueMicrotask(flush)
      outgoing.push(frameOf(transport.encrypt(encodeBinaryNode(stanza))))
    },
    finish(stanza) {
      if (finished) return
      finished = true
      if (stanza) connection.send(stanza)
      if (stanza?.tag === 'stream:error') connection.send(node('xmlstreamend'))
      flush()
      after(context.settings.awayMs / 2, () => socket.close())
    },
    cut() {
      // What came in the same piece as the frame at which it is cut has no effect any more.
      connection.state = 'closed'
      socket.terminate()
    },
  }

  const read = async (frame: Buffer): Promise<void> => {
    if (connection.frozen || connection.state === 'closed') return
    if (transport) {
      const stanza = await decode(transport.decrypt(frame))
      if (finished) events.late(connection, stanza)
      else events.stanza(connection, stanza)
    } else if (!noise) {
      noise = createNoiseServer(context.noise, reader.intro ?? Buffer.alloc(0))
      write(frameOf(noise.hello(frame)))
    } else {
      const finished = noise.finish(frame)
      transport = finished.transport
      events.hello(connection, finished.payload, finished.clientStatic)
    }
  }

  const fail = (error: unknown): void => {
    const detail = error instanceof Error ? error.message : String(error)
    context.journal.log('problem', { connection: number, detail })
    connection.cut()
  }

  events.opened(connection)
  let openUntil = 0
  socket.on('message', data => {
    const { awayMs } = context.settings
    openUntil ||= performance.now() + 3 * awayMs
    after(Math.max(0, openUntil - performance.now()) + awayMs / 2, () => {
      try {
        for (const frame of reader.push(data)) work = work.then(() => read(frame)).catch(fail)
      } catch (error) {
        fail(error)
      }
    })
  })
  socket.on('error', () => socket.terminate())
  socket.on('close', () => {
    connection.state = 'closed'
    connection.closedAt = Date.now()
    events.closed(connection)
  })
}

/** Decodes a stanza; a compressed one is inflated here, with a limit, because Baileys' decoder has none. */
async function decode(data: Buffer): Promise<BinaryNode> {
  if ((data[0] ?? 0) & 2) {
    const inflated = inflateSync(data.subarray(1), { maxOutputLength: 16 * 1024 * 1024 })
    return decodeBinaryNode(Buffer.concat([Buffer.of(0), inflated]))
  }
  return decodeBinaryNode(data)
}
