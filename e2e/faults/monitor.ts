import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

/** One command that Redis executed. */
export interface Executed {
  /** Whether a script ran it. Commands of a script come after the EVALSHA that called it, before anything else. */
  inScript: boolean
  /** The command and its first arguments, at most 1,000, as Redis prints them (bytes escaped). */
  words: readonly string[]
}

const LINE = /^\+\d+\.\d+ \[\d+ (\S+)\] (.*)$/
const WORD = /"((?:[^"\\]|\\.)*)"/g
const MOST_WORDS = 1000

/**
 * Watches what Redis executes, by MONITOR over a plain connection: ioredis 6.0.0 throws when the first line of a busy
 * server comes with the reply. Resolves once Redis is watching.
 */
export async function monitorRedis(redisUrl: string, onExecuted: (executed: Executed) => void): Promise<() => void> {
  const { hostname, port } = new URL(redisUrl)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  socket.write('MONITOR\r\n')
  const { promise: watching, resolve } = Promise.withResolvers<void>()
  createInterface({ input: socket }).on('line', line => {
    if (line === '+OK') return resolve()
    const [, source, text = ''] = LINE.exec(line) ?? []
    if (source === undefined) return
    const words: string[] = []
    for (const [, word = ''] of text.matchAll(WORD)) if (words.push(word) === MOST_WORDS) break
    onExecuted({ inScript: source === 'lua', words })
  })
  await watching
  return () => socket.destroy()
}
