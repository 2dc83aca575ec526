import { pino, stdSerializers, type Logger } from 'pino'

/**
 * Fields that never reach a log, wherever they stand in one. Lines are written without them in the first place; this is
 * for an object of a library that is logged whole.
 */
const SECRET_FIELDS = [
  'authorization',
  'body',
  'caption',
  'conversation',
  'creds',
  'data',
  'key',
  'keys',
  'media',
  'noiseKey',
  'password',
  'payload',
  'private',
  'qr',
  'secret',
  'text',
  'token',
]

/** Makes the process's logger: JSON lines on standard output. */
export function createLog(level: string, workerId: string): Logger {
  return pino({
    level,
    base: { workerId },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: label => ({ level: label }) },
    redact: {
      paths: SECRET_FIELDS.flatMap(field => [field, `*.${field}`, `*.*.${field}`]),
      censor: '[redacted]',
    },
    serializers: { err: briefly },
  })
}

/** Errors of libraries carry requests, nodes and messages as properties; a log gets what tells where to look. */
function briefly(error: Error): { type: string; message: string; stack: string } {
  const { type, message, stack } = stdSerializers.err(error)
  return { type, message: message.slice(0, 300), stack: stack.split('\n').slice(1, 12).join('\n') }
}
