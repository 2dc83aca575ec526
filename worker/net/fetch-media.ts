import type { Readable } from 'node:stream'
import { errors, request, type Dispatcher } from 'undici'
import { JobFailure } from '../jobs/job.ts'
import { nameOfDisposition, nameOfUrl } from './file-name.ts'
import { ForbiddenHostError } from './guard.ts'

/** Most redirects that a media URL may lead through; each hop is checked like the first. */
const MAX_REDIRECTS = 3
/** Statuses below 500 that may pass by themselves: timeout, too early, too many requests. */
const TRANSIENT = new Set([408, 425, 429])

/** What media is fetched with and how much of it is taken. */
export interface FetchOptions {
  /** Of `createGuardedAgent`. */
  agent: Dispatcher
  /** Most bytes of a body; one more fails with MEDIA_TOO_LARGE. */
  maxBytes: number
  /** Longest time from the request to the last byte, so that a drip cannot hold a lane. Default 2 minutes. */
  timeoutMs?: number
}

/** A body on its way. Read it to its end, or `return` its iterator, or the connection stays open. */
export interface FetchedMedia {
  body: AsyncGenerator<Buffer, void, undefined>
  /** The response's content-type as it stands. */
  contentType: string | undefined
  /** What the file may be called, the best first: by the response, by the URL that answered, by the one that was asked. */
  names: readonly string[]
}

/**
 * Starts to fetch media from a user's URL. Throws `JobFailure`, as does reading the body: `MEDIA_HOST_FORBIDDEN` and
 * `MEDIA_TOO_LARGE` for good; `MEDIA_FETCH_FAILED` with backoff for 5xx and network errors, for good for 4xx. When
 * `signal` aborts it throws the signal's reason. Messages name the host only: paths and queries may hold secrets.
 */
export async function fetchMedia(url: string, options: FetchOptions, signal: AbortSignal): Promise<FetchedMedia> {
  const whole = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs ?? 120_000)])
  let target = new URL(url)
  for (let hop = 0; ; hop++) {
    const { host } = target
    const response = await get(target, options.agent, whole).catch((error: unknown) => {
      throw failure(error, host, signal)
    })
    const location = redirectOf(response)
    if (location === undefined) {
      const accepted = await accept(response, host, options.maxBytes, signal)
      return { ...accepted, names: namesOf(response, target.href, url) }
    }
    await discard(response.body)
    if (hop === MAX_REDIRECTS) throw refused(`${host} redirects more than ${MAX_REDIRECTS} times`)
    target = follow(location, target)
  }
}

function namesOf({ headers }: Dispatcher.ResponseData, ...urls: string[]): string[] {
  const disposition = headers['content-disposition']
  const said = nameOfDisposition(typeof disposition === 'string' ? disposition : undefined)
  return [...new Set([said, ...urls.map(nameOfUrl)])].filter(name => name !== undefined)
}

async function get(url: URL, agent: Dispatcher, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  if (url.username !== '' || url.password !== '') throw refused(`${url.host} is given with a user or password`)
  // Only identity: a compressed body could unfold far past the limit.
  const headers = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'kurir' }
  return request(url, { dispatcher: agent, signal, headers, method: 'GET' })
}

function redirectOf({ statusCode, headers }: Dispatcher.ResponseData): string | undefined {
  const { location } = headers
  return statusCode >= 300 && statusCode < 400 && typeof location === 'string' ? location : undefined
}

function follow(location: string, from: URL): URL {
  if (!URL.canParse(location, from.href)) throw refused(`${from.host} redirects to something that is no URL`)
  const target = new URL(location, from)
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw refused(`${from.host} redirects to something other than http or https`)
  }
  return target
}

async function accept(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  host: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Omit<FetchedMedia, 'names'>> {
  const encoding = headers['content-encoding']
  let wrong: JobFailure | undefined
  if (statusCode !== 200) {
    const passing = statusCode >= 500 || TRANSIENT.has(statusCode)
    wrong = new JobFailure('MEDIA_FETCH_FAILED', `${host} answered ${statusCode}`, passing ? 'backoff' : 'never')
  } else if (encoding !== undefined && encoding !== 'identity') {
    wrong = refused(`${host} answered a compressed body although none was asked for`)
  } else if (Number(headers['content-length'] ?? 0) > maxBytes) {
    wrong = tooLarge(maxBytes)
  }
  if (wrong !== undefined) {
    await discard(body)
    throw wrong
  }
  const contentType = headers['content-type']
  return {
    body: counted(body, host, maxBytes, signal),
    contentType: typeof contentType === 'string' ? contentType : undefined,
  }
}

async function* counted(body: Readable, host: string, maxBytes: number, signal: AbortSignal) {
  let bytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes) throw tooLarge(maxBytes)
      yield chunk
    }
  } catch (error) {
    throw failure(error, host, signal)
  } finally {
    await discard(body)
  }
}

async function discard(body: Readable): Promise<void> {
  // Without a listener the destroyed body's error would end the process.
  body.on('error', () => {})
  body.destroy()
}

function failure(error: unknown, host: string, signal: AbortSignal): unknown {
  if (error instanceof JobFailure) return error
  if (signal.aborted) return signal.reason
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ForbiddenHostError) {
      return new JobFailure('MEDIA_HOST_FORBIDDEN', `${host} is not on the public internet`)
    }
  }
  return new JobFailure('MEDIA_FETCH_FAILED', `${host}: ${reason(error)}`, 'backoff')
}

function reason(error: unknown): string {
  if (error instanceof errors.UndiciError) return error.code
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  if (typeof code === 'string') return code
  return error instanceof Error && error.name === 'TimeoutError' ? 'took too long' : 'the connection failed'
}

function refused(message: string): JobFailure {
  return new JobFailure('MEDIA_FETCH_FAILED', message)
}

function tooLarge(maxBytes: number): JobFailure {
  return new JobFailure('MEDIA_TOO_LARGE', `the media is over ${maxBytes} bytes`)
}
