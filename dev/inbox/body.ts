import type { IncomingMessage } from 'node:http'

/** Larger than any event of ours; a sender that sends more is cut off. */
const MAX_BODY_BYTES = 16 * 1024 * 1024

/** The exact bytes of a request's body. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BODY_BYTES) throw new Error('the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
