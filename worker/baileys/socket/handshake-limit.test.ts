import { once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { DEFAULT_CONNECTION_CONFIG, initAuthCreds, makeWASocket, type WASocket } from '@whiskeysockets/baileys'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { baileysLog } from '../../whatsapp/baileys-log.ts'
import { readDisconnect } from '../../whatsapp/disconnect.ts'
import { limitHandshake } from './handshake-limit.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close()
})

/** Takes connections and says nothing, or becomes a WebSocket and says nothing on that. */
async function muteServer({ webSocket }: { webSocket: boolean }): Promise<Server> {
  const server = webSocket ? createHttpServer() : createServer()
  const webSockets = webSocket ? new WebSocketServer({ server: server as HttpServer }) : undefined
  const wires = new Set<Socket>()
  server.on('connection', wire => void wires.add(wire))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    for (const wire of wires) wire.destroy()
    webSockets?.close()
    server.close()
  })
  return server
}

function connect(server: Server): WASocket {
  const { port } = server.address() as AddressInfo
  const sock = makeWASocket({
    auth: { creds: initAuthCreds(), keys: { get: async () => ({}), set: async () => {} } },
    logger: baileysLog(pino({ level: 'silent' })),
    waWebSocketUrl: `ws://127.0.0.1:${port}`,
    connectTimeoutMs: 0,
    getMessage: DEFAULT_CONNECTION_CONFIG.getMessage,
  })
  closers.push(() => void sock.end(undefined))
  return sock
}

const ended = async (sock: WASocket) =>
  new Promise(resolve => {
    sock.ev.on('connection.update', ({ connection, lastDisconnect }) => {
      if (connection === 'close') resolve(readDisconnect(lastDisconnect?.error))
    })
  })

describe('the limit of the handshake', () => {
  it.each([
    ['that does not become a WebSocket', false],
    ['that does not answer the hello', true],
  ])('ends a connection to a server %s', async (_, webSocket) => {
    const sock = connect(await muteServer({ webSocket }))
    const end = ended(sock)
    limitHandshake(sock, 50)
    expect(await end).toEqual({ statusCode: 408, reason: 'connection_lost', policy: 'backoff' })
  })

  it('leaves a connection alone whose server has spoken after the handshake', async () => {
    const server = await muteServer({ webSocket: true })
    const [spoken, other] = [connect(server), connect(server)]
    let closed = false
    void ended(spoken).then(() => (closed = true))
    limitHandshake(spoken, 50)
    spoken.ws.emit('frame', { tag: 'success', attrs: {} })
    // Its own part of the handshake is not enough. This one started later, so its limit passes later.
    const end = ended(other)
    limitHandshake(other, 60)
    other.ws.emit('frame', new Uint8Array(8))
    await end
    expect(closed).toBe(false)
  })
})
