/**
 * The yardstick of `npm run bench -- worker`: Baileys as it comes, with creds and keys in memory, in a process of its own.
 * It links sessions with the simulator, then obeys one JSON command a line on stdin and answers each with one on stdout.
 */
import { createInterface } from 'node:readline'
import {
  initAuthCreds,
  makeCacheableSignalKeyStore,
  makeWASocket,
  WA_CERT_DETAILS,
  type AuthenticationState,
  type SignalDataSet,
  type SignalDataTypeMap,
  type WASocket,
} from '@whiskeysockets/baileys'
import * as z from 'zod'

const settings = z
  .object({ waUrl: z.string(), controlUrl: z.string(), rootKeyHex: z.string(), sessions: z.number().int().min(0) })
  .parse(JSON.parse(process.argv[2] ?? '{}'))

/** Sends `count` texts to each jid in `to`, from each session, `inFlight` at a time a session. */
const command = z.object({ to: z.array(z.string()), count: z.number().int(), inFlight: z.number().int().default(1) })

const silent = { level: 'silent', trace() {}, debug() {}, info() {}, warn() {}, error() {}, child: () => silent }
for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) console[method] = () => {}

WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(settings.rootKeyHex, 'hex')
const sockets: WASocket[] = []
for (let i = 0; i < settings.sessions; i++) sockets.push(await link())
tell({ ready: true, jids: sockets.map(sock => sock.user?.id) })

for await (const line of createInterface({ input: process.stdin })) {
  const { to, count, inFlight } = command.parse(JSON.parse(line))
  const start = performance.now()
  await Promise.all(sockets.map(sock => send(sock, to, count, inFlight)))
  tell({ sent: to.length * count * sockets.length, ms: performance.now() - start })
}
process.exit(0)

async function send(sock: WASocket, to: readonly string[], count: number, inFlight: number): Promise<void> {
  let next = 0
  const total = to.length * count
  async function run(): Promise<void> {
    for (let i = next++; i < total; i = next++) {
      await sock.sendMessage(to[i % to.length] ?? '', { text: `text ${i}` })
    }
  }
  await Promise.all(Array.from({ length: inFlight }, run))
}

/** Links one session: QR, scan by the simulator's phone, restart, open. */
async function link(): Promise<WASocket> {
  const creds = initAuthCreds()
  const auth: AuthenticationState = { creds, keys: makeCacheableSignalKeyStore(memoryKeys(), silent) }
  for (;;) {
    const sock = makeWASocket({ auth, logger: silent, waWebSocketUrl: settings.waUrl, markOnlineOnConnect: false })
    sock.ev.on('creds.update', update => void Object.assign(creds, update))
    const opened = await new Promise<boolean>(resolve => {
      sock.ev.on('connection.update', ({ connection, qr }) => {
        if (qr !== undefined && creds.me === undefined) void scan(qr)
        if (connection === 'open') resolve(true)
        if (connection === 'close') resolve(false)
      })
    })
    if (opened) return sock
    await sock.end(undefined)
  }
}

async function scan(qr: string): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  await fetch(`${settings.controlUrl}/scan`, { method: 'POST', headers, body: JSON.stringify({ qr }) })
}

function memoryKeys() {
  const kept = new Map<string, unknown>()
  return {
    async get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]) {
      const found: Record<string, SignalDataTypeMap[T]> = {}
      for (const id of ids) {
        const value = kept.get(`${type}:${id}`)
        if (value !== undefined) found[id] = value as SignalDataTypeMap[T]
      }
      return found
    },
    async set(data: SignalDataSet) {
      for (const [type, values] of Object.entries(data)) {
        for (const [id, value] of Object.entries(values ?? {})) {
          if (value === null) kept.delete(`${type}:${id}`)
          else kept.set(`${type}:${id}`, value)
        }
      }
    },
  }
}

function tell(fact: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(fact)}\n`)
}
