/** A reply of ioredis' `callBuffer` with `stringNumbers`: bytes are strings of Redis, text is one of its integers. */
export type Reply = Buffer | string | number | null | Error | Reply[]

/**
 * Writes a reply as Upstash does: `{"result": ...}` or `{"error": "..."}`. Integers are written digit by digit, so that
 * 64-bit ones survive. With `base64`, every string but OK is base64 of its bytes.
 */
export function encodeReply(reply: Reply, base64: boolean): string {
  if (reply instanceof Error) return encodeError(reply.message)
  return `{"result":${encodeValue(reply, base64)}}`
}

/** Writes an error as Upstash does. */
export function encodeError(message: string): string {
  return JSON.stringify({ error: message })
}

function encodeValue(value: Reply, base64: boolean): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `[${value.map(item => encodeValue(item, base64)).join(',')}]`
  if (Buffer.isBuffer(value)) {
    const text = value.toString('utf8')
    return JSON.stringify(base64 && text !== 'OK' ? value.toString('base64') : text)
  }
  if (value instanceof Error) return JSON.stringify(value.message)
  return /^-?\d+$/.test(String(value)) ? String(value) : JSON.stringify(value)
}
