import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** A self-signed certificate for 127.0.0.1 and localhost; `cert` is also what a client must trust. */
export type Certificate = { readonly cert: string; readonly key: string }

const VALID_MS = 365 * 24 * 3_600_000
const OIDS = {
  commonName: '0603550403',
  ecdsaWithSha256: '06082a8648ce3d040302',
  subjectAltName: '0603551d11',
  basicConstraints: '0603551d13',
  keyUsage: '0603551d0f',
}

/** One DER element: tag, length, content. */
function der(tag: number, ...content: (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(content.map(part => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)))
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body])
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, body])
}

const sequence = (...content: (Uint8Array | string)[]): Buffer => der(0x30, ...content)
const extension = (oid: string, critical: boolean, value: Uint8Array): Buffer =>
  sequence(oid, ...(critical ? ['0101ff'] : []), der(0x04, value))

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)
  return der(0x17, Buffer.from(`${text}Z`))
}

/** Makes a P-256 certificate without any binary: X.509 v3 written by hand (RFC 5280). */
export function createCertificate(): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = sequence(OIDS.ecdsaWithSha256)
  const name = sequence(der(0x31, sequence(OIDS.commonName, der(0x0c, Buffer.from('kurir simulator')))))
  const serial = der(0x02, Buffer.concat([Buffer.of(1), randomBytes(15)]))
  const altNames = sequence(der(0x82, Buffer.from('localhost')), der(0x87, Buffer.of(127, 0, 0, 1)))
  const extensions = sequence(
    extension(OIDS.basicConstraints, true, sequence('0101ff')),
    // digitalSignature and keyCertSign
    extension(OIDS.keyUsage, true, der(0x03, '0284')),
    extension(OIDS.subjectAltName, false, altNames),
  )
  const now = Date.now()
  const body = sequence(
    der(0xa0, '020102'),
    serial,
    algorithm,
    name,
    sequence(time(now - 3_600_000), time(now + VALID_MS)),
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa3, extensions),
  )
  const signature = der(0x03, Buffer.of(0), sign('sha256', body, privateKey))
  const lines =
    sequence(body, algorithm, signature)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}
