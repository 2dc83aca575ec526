import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hmac, derive, sameBytes } from './signal/primitives.ts'
import { createCertificate } from './tls.ts'

/** The media server: keeps encrypted files in memory, up to a number of bytes. */
export type Media = {
  /** `https://127.0.0.1:port`; uploads always go over TLS. */
  readonly url: string
  readonly host: string
  /** What a client must trust. */
  readonly caPem: string
  /** Stores an encrypted file and gives its path. */
  store(bytes: Buffer): string
  /** The encrypted file of a path or URL, if it is still kept. */
  find(path: string): Buffer | undefined
  clear(): void
  close(): Promise<void>
}

const HOST = '127.0.0.1'
const PREFIX = '/mms/file/'
const MAX_FILE = 128 * 1024 * 1024

/** Starts the media server; the oldest files go when `capacity` bytes are exceeded. */
export async function startMedia(port: number, capacity: number): Promise<Media> {
  const files = new Map<string, Buffer>()
  let kept = 0
  const certificate = createCertificate()

  const store = (bytes: Buffer): string => {
    const path = `${PREFIX}${randomBytes(16).toString('hex')}`
    files.set(path, bytes)
    kept += bytes.length
    for (const [old, file] of files) {
      if (kept <= capacity || old === path) break
      files.delete(old)
      kept -= file.length
    }
    return path
  }

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    if (request.method === 'POST') {
      const bytes = await readAll(request)
      if (!bytes) return void response.writeHead(413).end()
      const stored = store(bytes)
      const { port: own } = server.address() as AddressInfo
      response.writeHead(200, { 'content-type': 'application/json' })
      return void response.end(JSON.stringify({ url: `https://${HOST}:${own}${stored}`, direct_path: stored }))
    }
    const file = files.get(path)
    if (!file) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': file.length })
    return void response.end(file)
  }

  const server = createServer(certificate, (request, response) => {
    respond(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, resolve)
  })
  const host = `${HOST}:${(server.address() as AddressInfo).port}`
  return {
    url: `https://${host}`,
    host,
    caPem: certificate.cert,
    store,
    find: path => files.get(path.slice(Math.max(0, path.indexOf(PREFIX))).split('?')[0] ?? ''),
    clear() {
      files.clear()
      kept = 0
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function readAll(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_FILE) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const MAC_LENGTH = 10

/** Keys and hashes of a file that was encrypted for a media message. */
export type SealedMedia = {
  readonly mediaKey: Buffer
  readonly fileSha256: Buffer
  readonly fileEncSha256: Buffer
  readonly bytes: Buffer
}

/** Encrypts a file the way WhatsApp does: AES-CBC and a truncated HMAC under keys derived from a fresh media key. */
export function sealMedia(plain: Buffer, info: string): SealedMedia {
  const mediaKey = randomBytes(32)
  const { iv, cipherKey, macKey } = mediaKeys(mediaKey, info)
  const cipher = createCipheriv('aes-256-cbc', cipherKey, iv)
  const body = Buffer.concat([cipher.update(plain), cipher.final()])
  const bytes = Buffer.concat([body, hmac(macKey, iv, body).subarray(0, MAC_LENGTH)])
  return { mediaKey, fileSha256: sha256(plain), fileEncSha256: sha256(bytes), bytes }
}

/** Decrypts a file, or throws when its MAC does not fit. */
export function openMedia(bytes: Buffer, mediaKey: Uint8Array, info: string): Buffer {
  const { iv, cipherKey, macKey } = mediaKeys(mediaKey, info)
  const body = bytes.subarray(0, -MAC_LENGTH)
  if (!sameBytes(hmac(macKey, iv, body).subarray(0, MAC_LENGTH), bytes.subarray(-MAC_LENGTH))) {
    throw new Error('media mac is wrong')
  }
  const decipher = createDecipheriv('aes-256-cbc', cipherKey, iv)
  return Buffer.concat([decipher.update(body), decipher.final()])
}

function mediaKeys(mediaKey: Uint8Array, info: string): { iv: Buffer; cipherKey: Buffer; macKey: Buffer } {
  const keys = derive(mediaKey, `WhatsApp ${info} Keys`, 112)
  return { iv: keys.subarray(0, 16), cipherKey: keys.subarray(16, 48), macKey: keys.subarray(48, 80) }
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
