import { lookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { isIP } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { isPublicAddress } from './address.ts'

/** A request was to go to an address that is not public. Nothing was connected. */
export class ForbiddenHostError extends Error {
  readonly host: string

  constructor(host: string) {
    super('the host is not on the public internet')
    this.name = 'ForbiddenHostError'
    this.host = host
  }
}

/** How a guarded agent resolves and what it lets through. */
export interface GuardOptions {
  /** Lower-case `host:port` that may be private. Never a host alone: another service may listen on its other ports. */
  allowHosts: ReadonlySet<string>
  /** The system's resolver, unless a test brings its own. */
  resolve?: Resolve
  /** {@link isPublicAddress}, unless a test needs a public address of its own on loopback. */
  isPublic?: (address: string) => boolean
  /** Longest wait for a connection and its TLS handshake. Default 10 s. */
  connectTimeoutMs?: number
  /** Longest wait for the head of a response. Default 15 s. */
  headersTimeoutMs?: number
  /** Longest silence between two pieces of a body. Default 15 s. */
  bodyTimeoutMs?: number
}

/** The part of `dns.lookup` that is used: all addresses of a name. */
export type Resolve = (
  hostname: string,
  options: { all: true; hints: number | undefined },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * An undici dispatcher for URLs that users give. Each kind of URL has an agent of its own, since what the operator allows
 * for webhooks is not for whoever may name a media URL. It connects only to public addresses, and to the very address that it
 * checked: the check stands in the connection's own lookup, so a name that resolves differently a moment later (DNS
 * rebinding) gains nothing. Octal, hexadecimal and short IPv4 forms were made dotted by the URL parser before. It
 * follows no redirects; whoever does passes each hop through here again. One agent serves the whole process and keeps
 * connections alive. A refusal is a {@link ForbiddenHostError}, which undici hands on as it is.
 */
export function createGuardedAgent(options: GuardOptions): Agent {
  const { allowHosts, resolve = lookup, isPublic = isPublicAddress, connectTimeoutMs = 10_000 } = options
  const base = { timeout: connectTimeoutMs, allowH2: false }
  const open = buildConnector(base)
  const guarded = buildConnector({ ...base, lookup: guardedLookup(resolve, isPublic) })

  const connect: buildConnector.connector = (target, callback) => {
    const host = bareHost(target.hostname)
    if (allowHosts.has(hostPortOf(target))) return open(target, callback)
    // Node does not look literal addresses up, so the guarded lookup would never see them.
    if (isIP(host) !== 0 && !isPublic(host)) return callback(new ForbiddenHostError(host), null)
    return guarded(target, callback)
  }

  return new Agent({
    connect,
    headersTimeout: options.headersTimeoutMs ?? 15_000,
    bodyTimeout: options.bodyTimeoutMs ?? 15_000,
    maxHeaderSize: 32 * 1024,
  })
}

type NodeLookup = (
  hostname: string,
  options: LookupOptions,
  done: (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void,
) => void

function guardedLookup(resolve: Resolve, isPublic: (address: string) => boolean): NodeLookup {
  return (hostname, { all, hints }, done) => {
    resolve(hostname, { all: true, hints }, (error, addresses) => {
      if (error !== null) return done(error, [])
      const allowed = addresses.filter(({ address }) => isPublic(address))
      const [first] = allowed
      if (first === undefined) return done(new ForbiddenHostError(hostname), [])
      if (all === true) return done(null, allowed)
      return done(null, first.address, first.family)
    })
  }
}

/** What `allowHosts` holds for a URL: its host, lower-case, with its port even where that is the default. */
export function hostPortOf({
  hostname,
  port,
  protocol,
}: Pick<buildConnector.Options, 'hostname' | 'port' | 'protocol'>) {
  const host = bareHost(hostname)
  const effective = port === '' ? (protocol === 'https:' ? '443' : '80') : port
  return host.includes(':') ? `[${host}]:${effective}` : `${host}:${effective}`
}

/** Lower case, without the brackets of IPv6 and without the dot that roots a name. */
function bareHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
}
