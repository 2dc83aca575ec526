/** Where Baileys and what it is made of stand, as a stack names them. */
const VENDORS = /[\\/]node_modules[\\/](@whiskeysockets[\\/]baileys|libsignal|protobufjs|whatsapp-rust-bridge|ws)[\\/]/

/**
 * Whether a rejection that nobody handled comes out of Baileys: a failed request that it does not wait for, such as one
 * that a socket's end leaves without its answer, or a stanza that one of its listeners did not expect. That is one
 * session's matter, and no defect of this process, which would end for all the others. Imports nothing: it must be there
 * before Baileys is loaded.
 */
export function isOfBaileys(error: unknown): error is Error {
  return error instanceof Error && (isBoom(error) || cameFrom(error))
}

/** A Boom is the error class of Baileys. */
function isBoom(error: Error): boolean {
  return 'isBoom' in error && error.isBoom === true && statusCodeOf(error) !== undefined
}

/** Whether the innermost frame that is not Node's own is theirs: our code that they called is ours to answer for. */
function cameFrom({ stack = '' }: Error): boolean {
  const frames = stack.split('\n').filter(line => /^\s+at /.test(line) && !/\(?node:/.test(line))
  return VENDORS.test(frames[0] ?? '')
}

/** WhatsApp's or Baileys' code, if the error has one. */
export function statusCodeOf(error: Error): number | undefined {
  const { output } = error as Error & { output?: { statusCode?: unknown } }
  return typeof output?.statusCode === 'number' ? output.statusCode : undefined
}
