/** A request that Upstash's REST API would refuse, with the status it would answer. */
export class BadRequest extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'BadRequest'
    this.status = status
  }
}

/** One Redis command: its name in upper case (ioredis 6 rewrites replies of lower-case names), then its arguments. */
export type Command = [name: string, ...args: string[]]

/** Commands that take over or hold up a connection that all clients share. */
const REFUSED = new Set(
  [
    ['MULTI', 'EXEC', 'DISCARD', 'WATCH', 'UNWATCH', 'SELECT', 'AUTH', 'HELLO', 'RESET', 'QUIT', 'CLIENT'],
    ['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'MONITOR', 'SYNC', 'PSYNC', 'WAIT', 'SHUTDOWN'],
    ['BLPOP', 'BRPOP', 'BLMOVE', 'BRPOPLPUSH', 'BLMPOP', 'BZPOPMIN', 'BZPOPMAX', 'BZMPOP'],
  ].flat(),
)

/** Reads the command of a request to `/` (its body) or to `/<command>/<arg>...` (path, then body, then query). */
export function readCommand(url: URL, body: string): Command {
  const path = url.pathname.split('/').slice(1).map(decodeURIComponent)
  if (path.length === 1 && path[0] === '') return toCommand(parse(body))
  const query = [...url.searchParams].filter(([name]) => name !== '_token').flat()
  return toCommand([...path, ...(body === '' ? [] : [body]), ...query.filter(part => part !== '')])
}

/** Reads the commands of `/pipeline` and `/multi-exec`. */
export function readCommands(body: string): Command[] {
  const list = parse(body)
  if (!Array.isArray(list) || list.length === 0) throw new BadRequest(400, 'ERR failed to parse pipeline request')
  return list.map(toCommand)
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new BadRequest(400, 'ERR failed to parse command')
  }
}

function toCommand(value: unknown): Command {
  if (!Array.isArray(value) || typeof value[0] !== 'string') throw new BadRequest(400, 'ERR failed to parse command')
  const name = value[0].toUpperCase()
  if (name === '') throw new BadRequest(400, 'ERR empty command')
  if (REFUSED.has(name)) throw new BadRequest(400, `ERR Command is not available: '${name}'`)
  return [name, ...value.slice(1).map(part => (typeof part === 'string' ? part : JSON.stringify(part)))]
}
