import { pino, stdSerializers, type DestinationStream, type Logger, type LoggerOptions } from 'pino'

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

/** Makes the process's logger: JSON lines on standard output, or wherever they are to go. */
export function createLog(level: string, workerId: string, to: DestinationStream = pino.destination(1)): Logger {
  const options: LoggerOptions = {
    level,
    base: { workerId },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: label => ({ level: label }) },
    redact: {
      paths: SECRET_FIELDS.flatMap(field => [field, `*.${field}`, `*.*.${field}`]),
      censor: '[redacted]',
    },
    serializers: { err: briefly },
  }
  return pino(options, to)
}

/** Errors of libraries carry requests, nodes and messages as properties; a log gets what tells where to look. */
function briefly(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error }
  const { type, message, stack } = stdSerializers.err(error)
  return { type, message: message.slice(0, 300), stack: stack.split('\n').slice(1, 12).join('\n') }
}
