import { describe, expect, test } from 'vitest'
import { importSecret, SecretError, sign, SignatureError, verify, type HeaderSource } from './signature.ts'

// The vector of Standard Webhooks' own libraries.
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const OTHER = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfgh8yyyyyy'
const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const TIME = 1_614_265_330
const BODY = '{"test": 2432232314}'
const SIGNATURE = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
const NOW = TIME * 1000

const key = await importSecret(SECRET)
const otherKey = await importSecret(OTHER)

const good = { 'webhook-id': ID, 'webhook-timestamp': String(TIME), 'webhook-signature': SIGNATURE }

async function refusal(headers: HeaderSource, body: string | Uint8Array = BODY, now = NOW): Promise<string> {
  try {
    await verify([key], headers, body, now)
    return 'accepted'
  } catch (error) {
    return error instanceof SignatureError ? error.code : String(error)
  }
}

describe('sign', () => {
  test('gives the standard vector', async () => {
    expect(await sign([key], ID, TIME, BODY)).toEqual(good)
  })

  test('gives the same for text and its bytes', async () => {
    const text = '{"text":"Halo, apa kabar? 👍 \u00e9\u0000"}'
    expect(await sign([key], ID, TIME, text)).toEqual(await sign([key], ID, TIME, new TextEncoder().encode(text)))
  })

  test('signs once for each key, first key first', async () => {
    const { 'webhook-signature': both } = await sign([key, otherKey], ID, TIME, BODY)
    const { 'webhook-signature': second } = await sign([otherKey], ID, TIME, BODY)
    expect(both).toBe(`${SIGNATURE} ${second}`)
  })

  test.each([
    ['no key', [], ID, TIME, BODY],
    ['11 keys', Array.from({ length: 11 }, () => key), ID, TIME, BODY],
    ['an id with a dot', [key], 'msg.1', TIME, BODY],
    ['an id with a line break', [key], 'msg\n1', TIME, BODY],
    ['an empty id', [key], '', TIME, BODY],
    ['milliseconds in the timestamp', [key], ID, TIME + 0.5, BODY],
    ['a negative timestamp', [key], ID, -1, BODY],
    ['lone surrogates', [key], ID, TIME, '"\ud800"'],
  ])('refuses %s', async (_, keys, id, time, body) => {
    await expect(sign(keys, id, time, body)).rejects.toThrow(RangeError)
  })
})

describe('verify accepts', () => {
  test.each<[string, HeaderSource]>([
    ['a plain record', good],
    ['a record as Node writes it', { ...good, host: 'example.com', 'set-cookie': ['a', 'b'] }],
    ['upper-case names', { 'Webhook-Id': ID, 'WEBHOOK-TIMESTAMP': String(TIME), 'Webhook-Signature': SIGNATURE }],
    ['Fetch headers', new Headers(good)],
    ['pairs', Object.entries(good)],
  ])('%s', async (_, headers) => {
    expect(await verify([key], headers, BODY, NOW)).toEqual({ id: ID, timestamp: TIME })
  })

  test.each(['', '{"text":"日本語 👍"}', 'not json', ' '.repeat(100_000)])(
    'any body that was signed (%#)',
    async body => {
      const headers = await sign([key], ID, TIME, body)
      expect((await verify([key], headers, body, NOW)).id).toBe(ID)
      expect((await verify([key], headers, new TextEncoder().encode(body), NOW)).id).toBe(ID)
    },
  )

  test('bytes that are no UTF-8', async () => {
    const headers = await sign([key], ID, TIME, new Uint8Array([0xff, 0xfe]))
    expect((await verify([key], headers, new Uint8Array([0xff, 0xfe]), NOW)).id).toBe(ID)
    expect(await refusal(headers, new Uint8Array([0xff, 0xfd]))).toBe('NO_MATCHING_SIGNATURE')
  })

  test('any one good signature of up to ten', async () => {
    const { 'webhook-signature': foreign } = await sign([otherKey], ID, TIME, BODY)
    const list = [...Array.from({ length: 9 }, () => foreign), SIGNATURE].join(' ')
    expect(await refusal({ ...good, 'webhook-signature': list })).toBe('accepted')
  })

  test('any one of the keys, so that either side may rotate first', async () => {
    const both = await sign([otherKey, key], ID, TIME, BODY)
    for (const keys of [[key], [otherKey], [key, otherKey]])
      expect((await verify(keys, both, BODY, NOW)).timestamp).toBe(TIME)
    expect((await verify([otherKey, key], good, BODY, NOW)).timestamp).toBe(TIME)
  })

  test.each([-300, 300])('a clock that is off by %i seconds', async seconds => {
    expect(await refusal(good, BODY, NOW + seconds * 1000)).toBe('accepted')
  })
})

describe('verify refuses', () => {
  test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const)('%s missing or empty', async name => {
    expect(await refusal({ ...good, [name]: undefined })).toBe('MISSING_HEADER')
    expect(await refusal({ ...good, [name]: '' })).toBe('MISSING_HEADER')
    expect(await refusal(new Headers(Object.entries(good).filter(([other]) => other !== name)))).toBe('MISSING_HEADER')
  })

  test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const)('%s sent twice', async name => {
    const headers = new Headers(good)
    headers.append(name, good[name])
    expect(await refusal(headers)).toBe('DUPLICATE_HEADER')
    expect(await refusal([...Object.entries(good), [name, good[name]]])).toBe('DUPLICATE_HEADER')
    expect(await refusal({ ...good, [name]: [good[name], good[name]] })).toBe('DUPLICATE_HEADER')
    expect(await refusal({ ...good, [name.toUpperCase()]: good[name] })).toBe('DUPLICATE_HEADER')
    expect(await refusal({ ...good, [name]: `${good[name]},${good[name]}` })).toBe('DUPLICATE_HEADER')
  })

  test.each(['msg.1', 'msg 1', 'msg\t1', 'msg\u00e91', 'm'.repeat(257)])('the id %j', async id => {
    expect(await refusal({ ...good, 'webhook-id': id })).toBe('INVALID_ID')
  })

  test.each([
    '1614265330abc',
    '+1614265330',
    '-1614265330',
    '1614265330.9',
    '1.61426533e9',
    '0x60378572',
    ' 1614265330',
    '１６１４２６５３３０',
    '1614265330000',
    'NaN',
  ])('the timestamp %j', async timestamp => {
    expect(await refusal({ ...good, 'webhook-timestamp': timestamp })).toBe('INVALID_TIMESTAMP')
  })

  test('a timestamp more than 5 minutes off', async () => {
    expect(await refusal(good, BODY, NOW + 301_000)).toBe('TIMESTAMP_TOO_OLD')
    expect(await refusal(good, BODY, NOW - 301_000)).toBe('TIMESTAMP_TOO_NEW')
  })

  test('a timestamp that was changed', async () => {
    expect(await refusal({ ...good, 'webhook-timestamp': String(TIME + 1) })).toBe('NO_MATCHING_SIGNATURE')
    // The text is signed, not its value.
    expect(await refusal({ ...good, 'webhook-timestamp': `0${TIME}` })).toBe('NO_MATCHING_SIGNATURE')
  })

  test.each([
    ['no version', SIGNATURE.slice(3)],
    ['another version', SIGNATURE.replace('v1', 'v2')],
    ['an asymmetric signature', SIGNATURE.replace('v1', 'v1a')],
    ['an upper-case version', SIGNATURE.replace('v1', 'V1')],
    ['a good one beside an unknown version', `${SIGNATURE} ${SIGNATURE.replace('v1', 'v2')}`],
    ['an empty signature', 'v1,'],
    ['junk after it', `${SIGNATURE},junk`],
    ['two spaces', `${SIGNATURE}  ${SIGNATURE}`],
    ['a space at the end', `${SIGNATURE} `],
    ['no padding', SIGNATURE.replace('=', '')],
    ['too much padding', `${SIGNATURE}=`],
    ['stray bits in the last character', SIGNATURE.replace('E=', 'F=')],
    ['the URL alphabet', SIGNATURE.replaceAll('+', '-').replaceAll('/', '_')],
    ['a line break inside', SIGNATURE.replace('g0', 'g0\n')],
    ['too few bytes', `v1,${btoa('x'.repeat(31))}`],
    ['too many bytes', `v1,${btoa('x'.repeat(33))}`],
  ])('%s', async (_, signature) => {
    expect(await refusal({ ...good, 'webhook-signature': signature })).toBe('INVALID_SIGNATURE_FORMAT')
  })

  test('more than ten signatures, even with a good one', async () => {
    const list = Array.from({ length: 11 }, () => SIGNATURE).join(' ')
    expect(await refusal({ ...good, 'webhook-signature': list })).toBe('TOO_MANY_SIGNATURES')
  })

  test('a change of any byte of the body', async () => {
    const bytes = new TextEncoder().encode(BODY)
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice()
      changed[i] = (changed[i] ?? 0) ^ 1
      expect(await refusal(good, changed)).toBe('NO_MATCHING_SIGNATURE')
    }
    expect(await refusal(good, BODY.slice(0, -1))).toBe('NO_MATCHING_SIGNATURE')
    expect(await refusal(good, `${BODY} `)).toBe('NO_MATCHING_SIGNATURE')
    expect(await refusal(good, '')).toBe('NO_MATCHING_SIGNATURE')
  })

  test('another id, another key, and no key at all', async () => {
    expect(await refusal({ ...good, 'webhook-id': `${ID}x` })).toBe('NO_MATCHING_SIGNATURE')
    await expect(verify([otherKey], good, BODY, NOW)).rejects.toMatchObject({ code: 'NO_MATCHING_SIGNATURE' })
    await expect(verify([], good, BODY, NOW)).rejects.toMatchObject({ code: 'NO_MATCHING_SIGNATURE' })
  })

  test('a part of the body moved into the id', async () => {
    const headers = await sign([key], 'a', 1, '2.b')
    expect(await refusal({ ...headers, 'webhook-id': 'a.1' }, 'b', 1000)).toBe('INVALID_ID')
  })

  test('text with lone surrogates', async () => {
    const headers = await sign([key], ID, TIME, '"\ufffd"')
    expect(await refusal(headers, '"\ud800"')).toBe('INVALID_BODY')
  })
})

describe('importSecret', () => {
  test.each([24, 32, 64])('takes %i bytes', async length => {
    await expect(importSecret(`whsec_${btoa('s'.repeat(length))}`)).resolves.toBeDefined()
  })

  test.each([
    ['nothing', ''],
    ['no prefix', SECRET.slice(6)],
    ['an upper-case prefix', SECRET.replace('whsec', 'WHSEC')],
    ['a short secret', `whsec_${btoa('s'.repeat(23))}`],
    ['a long secret', `whsec_${btoa('s'.repeat(65))}`],
    ['missing padding', `whsec_${btoa('s'.repeat(32)).replace('=', '')}`],
    ['spaces', `${SECRET} `],
    ['two secrets', `${SECRET},${SECRET}`],
    ['another alphabet', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_'],
  ])('refuses %s and does not repeat it', async (_, secret) => {
    const error = await importSecret(secret).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SecretError)
    expect(secret === '' || !String(error).includes(secret)).toBe(true)
  })
})
