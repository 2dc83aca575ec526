/** What is used of a Boom, the error class of Baileys. */
interface Boom extends Error {
  isBoom: true
  output: { statusCode: number }
}

/**
 * Whether a rejection that nobody handled is a failed request of Baileys. It starts some that it does not wait for, such
 * as one that a socket's end leaves without its answer: that is one session's matter, and no defect of this process,
 * which would end for all the others. Imports nothing: it must be there before Baileys is loaded.
 */
export function isOfBaileys(error: unknown): error is Boom {
  if (!(error instanceof Error) || !('isBoom' in error) || error.isBoom !== true) return false
  const { output } = error as Error & { output?: unknown }
  return typeof output === 'object' && output !== null && 'statusCode' in output
}
