import { Problem } from './problem.ts'

/** Largest body that a post may have, in bytes. */
export const MAX_BODY_BYTES = 10 * 1024 * 1024

/** Largest form of the page, in bytes. */
const MAX_FORM_BYTES = 1024 * 1024

/** A request's body: its bytes and the JSON they are. */
export interface JsonBody {
  bytes: Uint8Array<ArrayBuffer>
  json: unknown
}

/** Reads a JSON body, and stops at the limit whatever Content-Length says. Throws {@link Problem}. */
export async function readJson(request: Request, limit: number = MAX_BODY_BYTES): Promise<JsonBody> {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new Problem('UNSUPPORTED_MEDIA_TYPE', { detail: 'send the body as application/json' })
  }
  const bytes = await readBytes(request, limit)
  try {
    return {
      bytes,
      json: JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)) as unknown,
    }
  } catch {
    // The parser's own message quotes the body.
    throw new Problem('INVALID_JSON', { detail: 'the body must be JSON in UTF-8' })
  }
}

/** Reads the fields of a posted form. Throws {@link Problem}. */
export async function readForm(request: Request, limit: number = MAX_FORM_BYTES): Promise<Record<string, string>> {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
    throw new Problem('UNSUPPORTED_MEDIA_TYPE', { detail: 'send the form as application/x-www-form-urlencoded' })
  }
  return Object.fromEntries(new URLSearchParams(new TextDecoder().decode(await readBytes(request, limit))))
}

async function readBytes(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new Problem('BODY_TOO_LARGE', { detail: `a body may have ${limit} bytes: send large media by URL` })
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > limit) throw tooLarge()
  // Within its declared length the runtime itself holds a body; only one without a length has to be counted.
  if (declared !== null || request.body === null) return new Uint8Array(await request.arrayBuffer())
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = (request.body as ReadableStream<Uint8Array>).getReader()
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    size += read.value.byteLength
    if (size > limit) {
      await reader.cancel()
      throw tooLarge()
    }
    chunks.push(read.value)
  }
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}
