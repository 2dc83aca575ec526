import type { WASocket } from '@whiskeysockets/baileys'
import { EventEmitter } from 'node:events'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Credentials } from '../credentials/store.ts'
import type { LiveSocket, SocketListener } from '../whatsapp/socket.ts'
import type { SentStore } from '../whatsapp/sent-store.ts'
import type { SessionContext } from '../core.ts'
import { log } from '../../dev/testing/owner.ts'
import { createWire, type WireListener } from './wire.ts'

/** Sockets that open at once and end when they are told to: what is tested is who comes after whom. */
interface FakeSocket extends LiveSocket {
  listener: SocketListener
  finish(): void
  killed: boolean
}

let sockets: FakeSocket[]
let heard: string[]
beforeEach(() => {
  sockets = []
  heard = []
})

function open({ listener }: { listener: SocketListener }): LiveSocket {
  const { promise, resolve } = Promise.withResolvers<void>()
  const socket: FakeSocket = {
    sock: { ws: new EventEmitter() } as unknown as WASocket,
    gate: { hold: () => () => undefined, passed: async () => undefined },
    holdKeys: () => () => undefined,
    listener,
    finish: resolve,
    killed: false,
    end: async () => promise,
    kill: () => void (socket.killed = true),
    logout: async () => undefined,
    pairingCode: async phone => `code of ${phone}`,
  }
  sockets.push(socket)
  return socket
}

function wire() {
  const clock = { now: () => 0, monotonic: () => 0 }
  const context = { sessionId: 's', fence: {}, core: { clock, log } } as unknown as SessionContext
  const hear =
    (name: string) =>
    (value?: unknown): void =>
      void heard.push(value === undefined ? name : `${name} ${JSON.stringify(value)}`)
  const listener: WireListener = {
    shown: hear('shown'),
    accepted: hear('accepted'),
    opened: hear('opened'),
    renamed: hear('renamed'),
    closed: hear('closed'),
    codeFailed: hear('codeFailed'),
  }
  const attachment = { acks: { expect: vi.fn<never>() }, detach: () => undefined, drained: async () => undefined }
  const attach = { follow: async () => () => attachment, forget: () => undefined }
  const credentials = { loadCreds: async () => undefined } as unknown as Credentials
  return createWire({ sockets: { open }, attach, sent: {} as SentStore }, context, credentials, listener)
}

/** Lets everything happen that waits for nothing but its turn. */
const settle = () => new Promise(resolve => setImmediate(resolve))

describe('the wire of a session', () => {
  it('opens the next socket when nothing is left of the one before', async () => {
    const made = wire()
    await made.connect()
    const second = made.connect()
    await settle()
    expect(sockets).toHaveLength(1)
    expect(made.usable()).toBeUndefined()
    sockets[0]?.finish()
    await second
    expect(sockets).toHaveLength(2)
    expect(made.usable()?.sock).toBe(sockets[1]?.sock)
  })

  it.each(['kill', 'disconnect'] as const)('opens none after a %s that came while the old one ended', async how => {
    const made = wire()
    await made.connect()
    const second = made.connect()
    const last = made[how]()
    sockets[0]?.finish()
    await Promise.all([second, last])
    expect(sockets).toHaveLength(1)
  })

  it('hears no more of a socket that was replaced', async () => {
    const made = wire()
    await made.connect()
    sockets[0]?.finish()
    await made.connect()
    sockets[0]?.listener.qr('old')
    sockets[0]?.listener.closed({ statusCode: 428, reason: 'connection_closed', policy: 'backoff' })
    sockets[1]?.listener.qr('new')
    expect(heard).toEqual(['shown {"qr":"new"}'])
  })

  it('asks for one code a connection', async () => {
    const made = wire()
    made.phone = '628'
    await made.connect()
    for (const qr of ['a', 'b']) sockets[0]?.listener.qr(qr)
    await settle()
    expect(heard).toEqual(['shown {"pairingCode":"code of 628"}'])
  })

  it('is of no use from the moment its socket is lost', async () => {
    const made = wire()
    await made.connect()
    sockets[0]?.listener.lost()
    expect(made.usable()).toBeUndefined()
    expect(heard).toEqual([])
  })
})
