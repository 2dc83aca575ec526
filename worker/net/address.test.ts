import { describe, expect, test } from 'vitest'
import { isPublicAddress } from './address.ts'

const PUBLIC = ['8.8.8.8', '1.1.1.1', '93.184.215.14', '172.15.255.255', '172.32.0.1', '100.63.255.255', '100.128.0.1']
const PUBLIC_V6 = ['2606:4700:4700::1111', '2a00:1450:4001:80f::200e', '2001:4860:4860::8888']

const FORBIDDEN: Record<string, string[]> = {
  unspecified: ['0.0.0.0', '0.1.2.3', '::'],
  loopback: ['127.0.0.1', '127.255.255.254', '::1'],
  private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fd12:3456:789a::1'],
  'link-local': ['169.254.169.254', 'fe80::1', 'febf::1'],
  'carrier-grade NAT': ['100.64.0.1', '100.127.255.255'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  'broadcast and reserved': ['255.255.255.255', '240.0.0.1', '192.0.0.1', '192.88.99.1'],
  documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
  benchmarking: ['198.18.0.1', '198.19.255.255', '2001:2::1'],
  'IPv4-mapped': ['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:7f00:1', '0:0:0:0:0:ffff:a00:1'],
  'IPv4-compatible': ['::127.0.0.1', '::8.8.8.8', '::7f00:1'],
  'IPv4-translated': ['::ffff:0:127.0.0.1'],
  NAT64: ['64:ff9b::7f00:1', '64:ff9b::127.0.0.1', '64:ff9b:1::7f00:1'],
  '6to4': ['2002:7f00:1::', '2002:c0a8:101::1'],
  Teredo: ['2001::1', '2001:0:7f00:1::'],
  'metadata of providers': ['168.63.129.16', '169.254.169.254', '100.100.100.200', 'fd00:ec2::254', '192.0.0.192'],
  ISATAP: ['2a00:1450::5efe:a00:1', '2a00:1450::200:5efe:808:808'],
  'site-local': ['fec0::1'],
  'never given out': ['4000::1', '5f00::1', '100::1', '1::1'],
  'with a zone': ['fe80::1%eth0', '2606:4700:4700::1111%eth0'],
  'not an address': ['', 'localhost', '127.1', '0177.0.0.1', '0x7f000001', '2130706433', '8.8.8.8 ', '8.8.8', '[::1]'],
}

describe('isPublicAddress', () => {
  test.each([...PUBLIC, ...PUBLIC_V6])('accepts %s', address => {
    expect(isPublicAddress(address)).toBe(true)
  })

  test.each(Object.entries(FORBIDDEN).flatMap(([kind, list]) => list.map(address => [kind, address] as const)))(
    'refuses %s: %s',
    (_kind, address) => {
      expect(isPublicAddress(address)).toBe(false)
    },
  )
})
