/**
 * Webhook signatures after Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks,
 * spec/standard-webhooks.md): HMAC-SHA256 over `id.timestamp.body`, secrets as `whsec_<base64>`, several space-separated
 * `v1,<base64>` signatures while secrets rotate. WebCrypto alone, so that both ends can run on Workers, Node or a browser.
 */

const SECRET_PREFIX = 'whsec_'
const MIN_SECRET_BYTES = 24
const MAX_SECRET_BYTES = 64
const TOLERANCE_SECONDS = 5 * 60
const MAX_SIGNATURES = 10
const SIGNATURE_BYTES = 32
/** Visible ASCII without the dot, which parts id, timestamp and body in what is signed. */
const ID = /^[\x21-\x2d\x2f-\x7e]{1,256}$/
const TIMESTAMP = /^\d{1,12}$/

/** Why a webhook was refused. Stable. */
export type SignatureCode =
  | 'MISSING_HEADER'
  | 'DUPLICATE_HEADER'
  | 'INVALID_ID'
  | 'INVALID_TIMESTAMP'
  | 'INVALID_BODY'
  | 'TIMESTAMP_TOO_OLD'
  | 'TIMESTAMP_TOO_NEW'
  | 'INVALID_SIGNATURE_FORMAT'
  | 'TOO_MANY_SIGNATURES'
  | 'NO_MATCHING_SIGNATURE'

/** A webhook that must not be trusted. */
export class SignatureError extends Error {
  readonly code: SignatureCode

  constructor(code: SignatureCode, message: string) {
    super(message)
    this.name = 'SignatureError'
    this.code = code
  }
}

/** A secret that is not `whsec_` and base64 of 24 to 64 bytes. The message never contains the secret. */
export class SecretError extends Error {
  constructor() {
    super(`a webhook secret is whsec_ followed by base64 of ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes`)
    this.name = 'SecretError'
  }
}

/** An imported secret. */
export type SigningKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** Headers of a request: a Fetch `Headers`, or Node's `IncomingHttpHeaders`, or pairs as they came (`rawHeaders`-like). */
export type HeaderSource =
  | { get(name: string): string | null }
  | Record<string, string | string[] | undefined>
  | readonly (readonly [string, string])[]

/** Imports a secret once, for many signatures. Throws {@link SecretError}. */
export async function importSecret(secret: string): Promise<SigningKey> {
  const bytes = secret.startsWith(SECRET_PREFIX) ? decodeBase64(secret.slice(SECRET_PREFIX.length)) : undefined
  if (bytes === undefined || bytes.length < MIN_SECRET_BYTES || bytes.length > MAX_SECRET_BYTES) throw new SecretError()
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
}

/**
 * Signs one delivery with every key, first key first. `body` must be the very bytes that are sent.
 * Returns the three headers of Standard Webhooks; `timestamp` is Unix seconds. Throws a RangeError for what
 * {@link verify} would refuse whatever the signature: no key or more than 10, a bad id, a fraction of a second.
 */
export async function sign(
  keys: readonly SigningKey[],
  id: string,
  timestamp: number,
  body: string | Uint8Array,
): Promise<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>> {
  if (keys.length === 0 || keys.length > MAX_SIGNATURES) throw new RangeError('sign with 1 to 10 keys')
  if (!ID.test(id)) throw new RangeError('a webhook id is 1 to 256 visible ASCII characters without a dot')
  if (!TIMESTAMP.test(String(timestamp))) throw new RangeError('a webhook timestamp is whole Unix seconds')
  if (!isWellFormed(body)) throw new RangeError('a webhook body has no lone surrogates')
  const content = signedContent(id, String(timestamp), body)
  const signatures = await Promise.all(
    keys.map(async key => `v1,${encodeBase64(new Uint8Array(await crypto.subtle.sign('HMAC', key, content)))}`),
  )
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signatures.join(' ') }
}

/**
 * Checks a delivery and resolves with its id and timestamp, or throws {@link SignatureError}. Accepts any one good
 * signature under any of the keys. Give the body as the bytes that came: decoding them to text first hides changes to
 * invalid UTF-8. `now` is Unix ms, for tests. An id that was seen before is a retry whose answer got lost: answer 2xx
 * again and do nothing; remembering ids for the 5 minutes in which a copy can be replayed, or longer, is up to you.
 */
export async function verify(
  keys: readonly SigningKey[],
  headers: HeaderSource,
  body: string | Uint8Array,
  now: number = Date.now(),
): Promise<{ id: string; timestamp: number }> {
  const id = header(headers, 'webhook-id')
  const timestampText = header(headers, 'webhook-timestamp')
  const signatureText = header(headers, 'webhook-signature')
  if (!ID.test(id)) throw new SignatureError('INVALID_ID', 'webhook-id is malformed')
  const timestamp = checkTimestamp(timestampText, now)
  const candidates = parseSignatures(signatureText)
  if (!isWellFormed(body)) throw new SignatureError('INVALID_BODY', 'the body has lone surrogates')
  const content = signedContent(id, timestampText, body)
  // Every pair is tried, hit or not, and WebCrypto's verify compares in constant time: timing tells nothing.
  const matches = await Promise.all(
    keys.flatMap(key => candidates.map(candidate => crypto.subtle.verify('HMAC', key, candidate, content))),
  )
  if (!matches.includes(true)) throw new SignatureError('NO_MATCHING_SIGNATURE', 'no signature matches')
  return { id, timestamp }
}

function checkTimestamp(text: string, now: number): number {
  if (!TIMESTAMP.test(text)) throw new SignatureError('INVALID_TIMESTAMP', 'webhook-timestamp is not Unix seconds')
  const timestamp = Number(text)
  const age = Math.floor(now / 1000) - timestamp
  if (age > TOLERANCE_SECONDS) throw new SignatureError('TIMESTAMP_TOO_OLD', 'webhook-timestamp is too old')
  if (age < -TOLERANCE_SECONDS) throw new SignatureError('TIMESTAMP_TOO_NEW', 'webhook-timestamp is in the future')
  return timestamp
}

function parseSignatures(text: string): Uint8Array<ArrayBuffer>[] {
  const parts = text.split(' ')
  if (parts.length > MAX_SIGNATURES) throw new SignatureError('TOO_MANY_SIGNATURES', 'more than 10 signatures')
  return parts.map(part => {
    const [version, base64, ...rest] = part.split(',')
    const bytes = version === 'v1' && base64 !== undefined && rest.length === 0 ? decodeBase64(base64) : undefined
    if (bytes?.length !== SIGNATURE_BYTES) {
      throw new SignatureError('INVALID_SIGNATURE_FORMAT', 'webhook-signature is not a list of v1,<base64>')
    }
    return bytes
  })
}

/** Lone surrogates all encode to the same three bytes, so that different texts would have the same signature. */
function isWellFormed(body: string | Uint8Array): boolean {
  return typeof body !== 'string' || body.isWellFormed()
}

function signedContent(id: string, timestamp: string, body: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder()
  const head = encoder.encode(`${id}.${timestamp}.`)
  const tail = typeof body === 'string' ? encoder.encode(body) : body
  const content = new Uint8Array(head.length + tail.length)
  content.set(head)
  content.set(tail, head.length)
  return content
}

/** The one value of a header. A header that was sent twice is refused: proxies and parsers differ on which one counts. */
function header(headers: HeaderSource, name: string): string {
  const values = headerValues(headers, name)
  if (values.length > 1) throw new SignatureError('DUPLICATE_HEADER', `${name} was sent twice`)
  const [value] = values
  if (value === undefined || value === '') throw new SignatureError('MISSING_HEADER', `${name} is missing`)
  // Fetch Headers and Node join doubled headers with a comma; in id and timestamp a comma has no other meaning.
  const joined = name === 'webhook-signature' ? /,\s|,v1,/.test(value) : value.includes(',')
  if (joined) throw new SignatureError('DUPLICATE_HEADER', `${name} was sent twice`)
  return value
}

function headerValues(headers: HeaderSource, name: string): string[] {
  if (isHeaders(headers)) {
    const value = headers.get(name)
    return value === null ? [] : [value]
  }
  const pairs = Array.isArray(headers)
    ? (headers as readonly (readonly [string, string])[])
    : Object.entries(headers as Record<string, string | string[] | undefined>)
  return pairs.flatMap(([key, value]) => (key.toLowerCase() === name && value !== undefined ? value : []))
}

function isHeaders(headers: HeaderSource): headers is { get(name: string): string | null } {
  return typeof (headers as { get?: unknown }).get === 'function'
}

function encodeBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

/** Bytes of canonical, padded base64; undefined for anything else, such as other alphabets or stray bits at the end. */
function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return undefined
  const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0))
  return encodeBase64(bytes) === text ? bytes : undefined
}
