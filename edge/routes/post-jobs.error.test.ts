import { afterEach, describe, expect, it } from 'vitest'
import { FIELD_CODES, type FieldCode } from '../../shared/errors.ts'
import { command, newSession, post, servers, text } from '../testing.ts'

interface ProblemBody {
  code: string
  status: number
  detail?: string
  errors?: { path: string; code: FieldCode; message: string }[]
}

const to = '6281234567890'
const sessionId = 'user-123'
const person = '6281234567890@s.whatsapp.net'
const poll = { sessionId, to, name: 'Kapan?', options: ['a', 'b'] }

function job(name: string, data: Record<string, unknown>, opts?: unknown) {
  return { name, data, opts }
}

function nested(levels: number): unknown {
  let value: unknown = 'a'
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

/** For each code, what is posted and where the fault is. The compiler and the first test name a code that is missing. */
const FAULTS: Record<FieldCode, [body: unknown, path: string]> = {
  UNKNOWN_JOB: [job('SEND_PIGEON', { sessionId }), 'name'],
  MISSING_FIELD: [job('SEND_TEXT', { sessionId, text: 'a' }), 'data.to'],
  INVALID_FIELD: [job('SEND_MEDIA', { sessionId, to, type: 'hologram', media: 'aGk=' }), 'data.type'],
  UNKNOWN_FIELD: [job('SEND_TEXT', { sessionId, to, text: 'a', mention: [to] }), 'data.mention'],
  INVALID_SESSION_ID: [job('START_SESSION', { sessionId: '../etc' }), 'data.sessionId'],
  INVALID_JID: [job('SEND_TEXT', { sessionId, to: 'somebody', text: 'a' }), 'data.to'],
  INVALID_PHONE_NUMBER: [job('START_SESSION', { sessionId, phoneNumber: '12' }), 'data.phoneNumber'],
  EMPTY_TEXT: [job('SEND_TEXT', { sessionId, to, text: ' \n' }), 'data.text'],
  TEXT_TOO_LONG: [job('SEND_TEXT', { sessionId, to, text: 'a'.repeat(131_073) }), 'data.text'],
  POLL_TOO_FEW_OPTIONS: [job('SEND_POLL', { ...poll, options: ['a'] }), 'data.options'],
  POLL_TOO_MANY_OPTIONS: [job('SEND_POLL', { ...poll, options: Array.from('abcdefghijklm') }), 'data.options'],
  POLL_DUPLICATE_OPTION: [job('SEND_POLL', { ...poll, options: ['a', 'a'] }), 'data.options'],
  POLL_SELECTABLE_COUNT: [job('SEND_POLL', { ...poll, selectableCount: 3 }), 'data.selectableCount'],
  INVALID_MEDIA: [job('SEND_MEDIA', { sessionId, to, type: 'image', media: 'not base64!' }), 'data.media'],
  MEDIA_TOO_LARGE: [job('SEND_MEDIA', { sessionId, to, type: 'image', media: 'A'.repeat(8_500_000) }), 'data.media'],
  NO_AUTHOR: [
    job('SEND_REACTION', { sessionId, to: '123@g.us', key: { remoteJid: '123@g.us', id: 'A' }, emoji: '👍' }),
    'data.key',
  ],
  OTHER_CHAT: [
    job('SEND_REACTION', { sessionId, to, key: { remoteJid: '628111111111@s.whatsapp.net', id: 'A' }, emoji: '👍' }),
    'data.key.remoteJid',
  ],
  NOT_AN_EMOJI: [job('SEND_REACTION', { sessionId, to, key: { remoteJid: to, id: 'A' }, emoji: 'ok' }), 'data.emoji'],
  NO_CONTACTS: [job('SEND_CONTACT', { sessionId, to, contacts: [] }), 'data.contacts'],
  TOO_MANY_CONTACTS: [job('SEND_CONTACT', { sessionId, to, contacts: Array(257).fill('x') }), 'data.contacts'],
  NO_PARTICIPANTS: [job('GROUP_CREATE', { sessionId, subject: 'a', participants: [] }), 'data.participants'],
  TOO_MANY_PARTICIPANTS: [
    job('GROUP_CREATE', { sessionId, subject: 'a', participants: Array(1025).fill(person) }),
    'data.participants',
  ],
  INVALID_JOB_OPTION: [job('STOP_SESSION', { sessionId }, { delay: -1 }), 'opts.delay'],
  TOO_DEEP: [job('SEND_TEXT', { sessionId, to, text: 'a', extra: nested(1000) }), 'data.extra'],
  BROKEN_TEXT: [job('SEND_TEXT', { sessionId, to, text: 'Halo \ud83d' }), 'data.text'],
}

describe('a job that does not fit the contract', () => {
  it.each(FIELD_CODES)('is refused with the path of its field: %s', async code => {
    const [body, path] = FAULTS[code]
    const response = await post(body)
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    const problem = await response.json<ProblemBody>()
    expect(problem).toMatchObject({ type: 'urn:kurir:problem:invalid-request', code: 'INVALID_REQUEST', status: 400 })
    expect(problem.errors).toContainEqual({ path, code, message: expect.any(String) })
  })

  it.each([
    ['participants', job('GROUP_CREATE', { sessionId, subject: 'a', participants: Array(200_000).fill('x') })],
    ['mentions', job('SEND_TEXT', { sessionId, to, text: 'a', mentions: Array(200_000).fill(7) })],
    ['half emojis', job('SEND_TEXT', { sessionId, to, text: 'a', extra: Array(200_000).fill('\ud83d') })],
    ['options', job('STOP_SESSION', { sessionId }, Object.fromEntries(Array(200_000).fill(1).entries()))],
    ['jobs', { jobs: Array(500).fill(job('GROUP_CREATE', { participants: Array(1000).fill('x') })) }],
  ])('is told of a few of its faults, when there are 200,000: %s', async (_, body) => {
    const response = await post(body)
    expect(response.status).toBe(400)
    const { errors } = await response.json<ProblemBody>()
    expect(errors?.length).toBeGreaterThan(0)
    expect(errors?.length).toBeLessThanOrEqual(100)
  })

  it.each<[string, object, string, string]>([
    ['an option beside data', { ...text('a'), delay: 5 }, 'delay', 'is an option: put it into opts'],
    ['a field of data beside it', { ...text('a'), mentions: [] }, 'mentions', 'belongs to the job: put it into data'],
    ['a misspelt part', { ...text('a'), Opts: {} }, 'Opts', 'is no field of a job: did you mean opts?'],
    [
      'a misspelt option',
      { ...text('a'), opts: { job_id: 'x' } },
      'opts.job_id',
      'is no field of opts: did you mean jobId?',
    ],
    ['something beside the batch', { jobs: [text('a')], delay: 5 }, 'delay', 'is no field of a batch: there are jobs'],
    ['one of a batch', { jobs: [{ ...text('a'), delay: 5 }] }, 'jobs[0].delay', 'is an option: put it into opts'],
  ])('is told of %s', async (_, body, path, message) => {
    const response = await post(body)
    expect(response.status).toBe(400)
    const { errors } = await response.json<ProblemBody>()
    expect(errors).toEqual([{ path, code: expect.any(String), message }])
  })

  it('is told what to do when its data stands beside it', async () => {
    const response = await post({ name: 'SEND_TEXT', sessionId, to, text: 'a' })
    const { errors } = await response.json<ProblemBody>()
    expect(errors?.map(({ path, code }) => [path, code])).toEqual([
      ['data', 'MISSING_FIELD'],
      ['sessionId', 'UNKNOWN_FIELD'],
      ['to', 'UNKNOWN_FIELD'],
      ['text', 'UNKNOWN_FIELD'],
    ])
  })

  it('refuses the whole batch, and says where', async () => {
    const session = newSession()
    const counter = await command('GET', 'bull:whatsapp-jobs:id')
    const bad = { name: 'SEND_TEXT', data: { sessionId: session, to, text: '' } }
    const response = await post({ jobs: [text(session), bad, { ...text(session), opts: { priority: 1.5 } }, 7] })
    expect(response.status).toBe(400)
    const { errors } = await response.json<ProblemBody>()
    expect(errors?.map(error => [error.path, error.code])).toEqual([
      ['jobs[1].data.text', 'EMPTY_TEXT'],
      ['jobs[2].opts.priority', 'INVALID_JOB_OPTION'],
      ['jobs[3]', 'INVALID_FIELD'],
    ])
    expect(await command('GET', 'bull:whatsapp-jobs:id')).toBe(counter)
  })

  it.each([
    ['a fraction', { delay: 1.5 }],
    ['a delay of over a year', { delay: 366 * 24 * 60 * 60 * 1000 }],
    ['a priority above the limit', { priority: 2_097_153 }],
    ['a text', { priority: '1' }],
    ['a date', { expiresAt: '2027-01-01' }],
    ['an id that is a number', { jobId: '17' }],
    ["an id that is a key of BullMQ's", { jobId: 'wait' }],
    ['an id with a colon', { jobId: 'a:b' }],
    ['an empty id', { jobId: '' }],
    ['an option that is not ours to give', { attempts: 100 }],
    ['no object', 'fast'],
  ])('may not have as option %s', async (_, opts) => {
    const response = await post({ ...text('a'), opts })
    expect(response.status).toBe(400)
    const { errors } = await response.json<ProblemBody>()
    expect(errors).toEqual([expect.objectContaining({ code: 'INVALID_JOB_OPTION' })])
  })
})

describe('a body', () => {
  it.each([
    ['no JSON', '{"name":', 400, 'INVALID_JSON'],
    ['no object', '[]', 400, 'INVALID_REQUEST'],
    ['null', 'null', 400, 'INVALID_REQUEST'],
    ['no jobs', '{"jobs":[]}', 400, 'INVALID_REQUEST'],
    ['jobs that are no list', '{"jobs":{}}', 400, 'INVALID_REQUEST'],
  ])('is refused when it is %s', async (_, body, status, code) => {
    const response = await post(body)
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ code })
  })

  it('is refused when it has more than 500 jobs', async () => {
    const response = await post({ jobs: Array.from({ length: 501 }, () => text('a')) })
    expect((await response.json<ProblemBody>()).errors?.[0]).toMatchObject({ path: 'jobs', code: 'INVALID_FIELD' })
  })

  it('is refused when it says that it is no JSON', async () => {
    const response = await post(text('a'), { headers: { 'content-type': 'text/plain' } })
    expect(response.status).toBe(415)
    expect(await response.json()).toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' })
  })

  it('lists 100 errors at most', async () => {
    const response = await post({ jobs: Array.from({ length: 500 }, () => ({})) })
    expect((await response.json<ProblemBody>()).errors).toHaveLength(100)
  })
})

describe('an Idempotency-Key', () => {
  it.each(['', 'a'.repeat(256), 'tab\tinside'])('is refused when it is malformed: %j', async key => {
    const response = await post(text('a'), { headers: { 'idempotency-key': key } })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'IDEMPOTENCY_KEY_INVALID' })
  })

  it('is refused for another payload, of which nothing is stored', async () => {
    const session = newSession()
    const headers = { 'idempotency-key': session }
    await post(text(session, 'one'), { headers })
    const counter = await command('GET', 'bull:whatsapp-jobs:id')
    const response = await post(text(session, 'two'), { headers })
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
    expect(await command('GET', 'bull:whatsapp-jobs:id')).toBe(counter)
  })
})

describe('PARTITIONS', () => {
  afterEach(() => command('DEL', 'kurir:partitions'))

  it('that differs from the recorded one stores nothing', async () => {
    await command('SET', 'kurir:partitions', '8')
    const counter = await command('GET', 'bull:whatsapp-jobs:id')
    const response = await post(text('a'))
    expect(response.status).toBe(500)
    expect(await response.json()).toMatchObject({
      code: 'MISCONFIGURED',
      detail: expect.stringContaining('8 in Redis'),
    })
    expect(await command('GET', 'bull:whatsapp-jobs:id')).toBe(counter)
  })

  it('that is the recorded one is fine', async () => {
    await command('SET', 'kurir:partitions', '1')
    expect((await post(text('a'))).status).toBe(202)
  })
})

describe('Redis', () => {
  /** What a poster is told; the same whatever is the matter with Redis. */
  const UNAVAILABLE = { status: 503, retryAfter: '2', code: 'REDIS_UNAVAILABLE' }

  async function outcome(response: Response) {
    const { code } = await response.json<ProblemBody>()
    return { status: response.status, retryAfter: response.headers.get('retry-after'), code }
  }

  it.each(['closedUrl', 'hangingUrl'] as const)('that cannot be reached is a 503 in a few seconds: %s', async which => {
    const begun = Date.now()
    const response = await post(text('a'), { settings: { UPSTASH_REDIS_REST_URL: servers[which] } })
    expect(await outcome(response)).toEqual(UNAVAILABLE)
    expect(Date.now() - begun).toBeLessThan(6000)
  })

  it('that is another server is a 503', async () => {
    const settings = { UPSTASH_REDIS_REST_URL: `${servers.restUrl}/echo/hi` }
    expect(await outcome(await post(text('a'), { settings }))).toEqual(UNAVAILABLE)
  })

  it.each([
    [
      'ERR max requests limit exceeded. Limit: 500000, Usage: 500000. See the pricing page',
      'REDIS_QUOTA_EXCEEDED',
      '300',
    ],
    ['ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.', 'REDIS_QUOTA_EXCEEDED', '300'],
    ['ERR max concurrent connections exceeded. Limit: 1000', 'REDIS_QUOTA_EXCEEDED', '300'],
    ['ERR DB capacity quota exceeded. Threshold: 268435456 bytes, Usage: 268435999 bytes', 'REDIS_FULL', '30'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'REDIS_FULL', '30'],
    ['ERR Error running script (call to f_0a1b): @user_script:7: -OOM command not allowed', 'REDIS_FULL', '30'],
    // The text of a message may stand behind the beginning, and means nothing.
    ['ERR syntax error, command was: ["ERR max requests limit exceeded"]', 'REDIS_UNAVAILABLE', '2'],
  ])('whose provider says %j tells so, and when to come back', async (error, code, retryAfter) => {
    const query = new URLSearchParams({ status: '400', type: 'application/json', body: JSON.stringify({ error }) })
    const settings = { UPSTASH_REDIS_REST_URL: `${servers.answeringUrl}/?${query.toString()}` }
    expect(await outcome(await post(text('a'), { settings }))).toEqual({ status: 503, code, retryAfter })
  })

  it('whose provider refuses the size in HTML is a 413', async () => {
    const query = new URLSearchParams({
      status: '413',
      type: 'text/html',
      body: '<html>Request Entity Too Large</html>',
    })
    const settings = { UPSTASH_REDIS_REST_URL: `${servers.answeringUrl}/?${query.toString()}` }
    expect(await outcome(await post(text('a'), { settings }))).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' })
  })

  it.skipIf(servers.kind === 'embedded')('that is full, or only a replica, is a 503', async () => {
    try {
      await command('CONFIG', 'SET', 'maxmemory', '1')
      expect(await outcome(await post(text('a')))).toEqual({ status: 503, retryAfter: '30', code: 'REDIS_FULL' })
      await command('CONFIG', 'SET', 'maxmemory', '0')
      await command('REPLICAOF', '127.0.0.1', new URL(servers.closedUrl).port)
      expect(await outcome(await post(text('a')))).toEqual(UNAVAILABLE)
    } finally {
      await command('CONFIG', 'SET', 'maxmemory', '0')
      await command('REPLICAOF', 'NO', 'ONE')
    }
  })

  it('that forgot its scripts is given them again', async () => {
    await command('SCRIPT', 'FLUSH')
    expect((await post(text('a'))).status).toBe(202)
  })
})
