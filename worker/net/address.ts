import ipaddr from 'ipaddr.js'

/**
 * What ipaddr.js 2.5 calls `unicast` although no public host lives there. Sources: the IANA special-purpose address
 * registries, and RFC 8215 for the local NAT64 prefix, which reaches whatever IPv4 address stands in its last bits.
 */
const MORE_FORBIDDEN_IPV6 = [
  // IPv4-compatible (deprecated): the last 32 bits are an IPv4 address.
  '::/96',
  // Local NAT64 (RFC 8215), beside the well-known 64:ff9b::/96.
  '64:ff9b:1::/48',
  // Discard only, dummy prefix.
  '100::/48',
  // IETF protocol assignments: Teredo, benchmarking, ORCHID and the like.
  '2001::/23',
  // Documentation.
  '2001:db8::/32',
  '3fff::/20',
  // 6to4: an IPv4 address stands behind the prefix.
  '2002::/16',
  // Segment routing.
  '5f00::/16',
  // Site-local (deprecated), still routed inside some networks.
  'fec0::/10',
].map(cidr => ipaddr.IPv6.parseCIDR(cidr))

/**
 * Where cloud providers serve credentials and settings to their machines, under addresses that the registries count as
 * public: Azure's WireServer. The others are link-local, CGNAT or private (169.254.169.254, 100.100.100.200,
 * fd00:ec2::254), and so refused anyway.
 */
const METADATA_IPV4 = new Set(['168.63.129.16'])

/** The second half of an ISATAP address (RFC 5214): behind it stands an IPv4 address, whatever prefix is before it. */
function isIsatap(address: ipaddr.IPv6): boolean {
  const [, , , , high = 0, low = 0] = address.parts
  return (high & 0xfdff) === 0 && low === 0x5efe
}

/** All of IPv6's global unicast space that was ever given out; everything else has a meaning of its own. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * Whether an IP address belongs to the public internet. Refused are private, loopback, link-local, CGNAT, multicast,
 * reserved, documentation and unspecified addresses, and every IPv6 form that carries an IPv4 address (mapped,
 * compatible, NAT64, 6to4, Teredo), because the network may unwrap it. Text that is no IP address is refused too.
 */
export function isPublicAddress(text: string): boolean {
  // A zone (fe80::1%eth0) belongs to link-local addresses only; the library's own parser lets it pass elsewhere.
  if (text.includes('%')) return false
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
    return ipaddr.IPv4.parse(text).range() === 'unicast' && !METADATA_IPV4.has(text)
  }
  if (!ipaddr.IPv6.isValid(text)) return false
  const address = ipaddr.IPv6.parse(text)
  if (address.range() !== 'unicast' || !address.match(GLOBAL_UNICAST) || isIsatap(address)) return false
  return !MORE_FORBIDDEN_IPV6.some(range => address.match(range))
}
