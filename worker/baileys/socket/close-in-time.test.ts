import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { DEFAULT_CONNECTION_CONFIG } from '@whiskeysockets/baileys'
import { WebSocketClient } from '@whiskeysockets/baileys/lib/Socket/Client/index.js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { closeInTime } from './close-in-time.ts'
import type { RawSocket } from './raw-socket.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close()
})

/** Baileys' own WebSocket client, and the other side of it. */
async function connect() {
  const http = createServer()
  const wires = new Set<Socket>()
  http.on('connection', wire => void wires.add(wire))
  const server = new WebSocketServer({ server: http })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const url = new URL(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`)
  const baileys = new WebSocketClient(url, DEFAULT_CONNECTION_CONFIG)
  baileys.connect()
  await once(baileys, 'open')
  const client = baileys as unknown as RawSocket
  const raw = client.socket
  closers.push(() => {
    raw?.terminate()
    for (const wire of wires) wire.destroy()
    server.close()
    http.close()
  })
  return { client, baileys, server, wires }
}

describe('a socket that closes', () => {
  it('closes in about a second though the peer never answers, and says at once that it is of no more use', async () => {
    const { client, baileys, wires } = await connect()
    for (const wire of wires) wire.pause()
    const gone = vi.fn<() => void>()
    closeInTime(client, gone)
    const before = performance.now()
    const closing = client.close()
    expect(gone).toHaveBeenCalled()
    await closing
    expect(performance.now() - before).toBeLessThan(3000)
    expect(baileys.isClosed).toBe(true)
  })

  it('tells of a connection that the peer has cut', async () => {
    const { client, server } = await connect()
    const gone = vi.fn<() => void>()
    closeInTime(client, gone)
    for (const peer of server.clients) peer.terminate()
    await vi.waitUntil(() => gone.mock.calls.length > 0, { timeout: 10_000 })
    expect(gone).toHaveBeenCalled()
  })
})
