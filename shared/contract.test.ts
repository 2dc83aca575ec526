import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { FieldError } from './coded.ts'
import { checkJob, JOB_NAMES, MAX_TEXT_LENGTH } from './contract.ts'
import { FIELD_CODES, HTTP_STATUS, JOB_CODES, type FieldCode } from './errors.ts'
import { webhookEvent } from './events.ts'
import { MAX_INLINE_MEDIA_BYTES } from './media.ts'

const contract = readFileSync(new URL('../docs/contract.md', import.meta.url), 'utf8')

/** The contract's JSON examples, without their comments; `{ ... }` stands for any object. */
const examples = [...contract.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = '']) =>
  toRecord(JSON.parse(text.replaceAll(/("(?:[^"\\]|\\.)*")|\/\/.*$/gm, '$1').replaceAll('{ ... }', '{}'))),
)
const jobExamples = examples.filter(example => 'name' in example)
const eventExamples = examples.filter(example => 'event' in example)

function toRecord(value: unknown): Record<string, unknown> {
  return value as Record<string, unknown>
}

function errorsOf(name: unknown, data: unknown): FieldError[] {
  const check = checkJob(name, data)
  return check.ok ? [] : check.errors
}

describe('the examples of contract.md', () => {
  test('are all there', () => {
    const ours = ['SEND_LOCATION', 'SEND_CONTACT']
    expect(jobExamples.map(example => example['name'])).toEqual(JOB_NAMES.filter(name => !ours.includes(name)))
    expect(eventExamples.map(example => example['event'])).toEqual(['messages.upsert', 'connection.update'])
    expect(jobExamples.length + eventExamples.length).toBe(examples.length)
  })

  test.each(jobExamples.map(example => [example['name'], example['data']]))(
    '%s is accepted as it stands',
    (name, data) => {
      expect(checkJob(name, data)).toEqual({ ok: true, job: { name, data }, unknown: [] })
    },
  )

  test.each(eventExamples.map(example => [example['event'], example]))('%s is one of our events', (_, event) => {
    expect(webhookEvent.parse(event)).toEqual(event)
  })
})

const TO = '6281234567890@s.whatsapp.net'
const text = { sessionId: 'user-123', to: TO, text: 'Halo' }
const sendMedia = { sessionId: 'user-123', to: TO, type: 'image', media: 'https://example.com/image.jpg' }
const poll = { sessionId: 'user-123', to: TO, name: 'Kapan?', options: ['Senin', 'Selasa'] }
const members = { sessionId: 'user-123', jid: '1234567890@g.us', action: 'add', participants: [TO] }
const targetKey = { remoteJid: TO, id: 'BAE5' }

describe('beyond the examples, a job may have', () => {
  test.each<[string, string, Record<string, unknown>, Record<string, unknown>]>([
    ['a bare phone number', 'SEND_TEXT', { ...text, to: '+62 812-3456-7890' }, text],
    ['bare numbers as mentions', 'SEND_TEXT', { ...text, mentions: ['6281234567890'] }, { ...text, mentions: [TO] }],
    [
      'one person under two spellings',
      'SEND_TEXT',
      { ...text, mentions: [TO, '+62 812-3456-7890'] },
      { ...text, mentions: [TO] },
    ],
    ['no mentions', 'SEND_TEXT', { ...text, mentions: [] }, { ...text, mentions: [] }],
    ['no selectableCount', 'SEND_POLL', poll, { ...poll, selectableCount: 0 }],
    ['any number of choices', 'SEND_POLL', { ...poll, selectableCount: 0 }, { ...poll, selectableCount: 0 }],
    ['as many choices as options', 'SEND_POLL', { ...poll, selectableCount: 2 }, { ...poll, selectableCount: 2 }],
    [
      'a pairing phone number',
      'START_SESSION',
      { sessionId: 'a', phoneNumber: '+62 812' },
      { sessionId: 'a', phoneNumber: '62812' },
    ],
    [
      'options of other media types',
      'SEND_MEDIA',
      { ...sendMedia, ptt: true, fileName: 'a.pdf' },
      { ...sendMedia, ptt: true, fileName: 'a.pdf' },
    ],
    [
      'a type with parameters',
      'SEND_MEDIA',
      { ...sendMedia, mimetype: 'audio/ogg; codecs=opus' },
      { ...sendMedia, mimetype: 'audio/ogg; codecs=opus' },
    ],
    [
      'a reaction taken back',
      'SEND_REACTION',
      { sessionId: 'a', to: TO, key: targetKey, emoji: '' },
      { sessionId: 'a', to: TO, key: targetKey, emoji: '' },
    ],
    [
      'a quote without its message',
      'SEND_REPLY',
      { ...text, quoted: { key: targetKey } },
      { ...text, quoted: { key: targetKey } },
    ],
  ])('%s', (_, name, data, checked) => {
    expect(checkJob(name, data)).toEqual({ ok: true, job: { name, data: checked }, unknown: [] })
  })

  test('unknown fields, which are told and dropped', () => {
    const check = checkJob('SEND_TEXT', { ...text, colour: 'red' })
    expect(check).toMatchObject({ ok: true, unknown: [{ path: 'data.colour', code: 'UNKNOWN_FIELD' }] })
    expect(check.ok && check.job).toEqual({ name: 'SEND_TEXT', data: text })
  })

  test('a text as long as allowed', () => {
    expect(errorsOf('SEND_TEXT', { ...text, text: 'x'.repeat(MAX_TEXT_LENGTH) })).toEqual([])
  })
})

test('says of a missing field that it is missing', () => {
  const errors = errorsOf('SEND_TEXT', { sessionId: 'a', text: 'x' })
  expect(errors).toEqual([{ path: 'data.to', code: 'MISSING_FIELD', message: 'is missing' }])
})

const refusals: [FieldCode, string, unknown, unknown][] = [
  ['UNKNOWN_JOB', 'name', 'SEND_MONEY', text],
  ['UNKNOWN_JOB', 'name', 'toString', text],
  ['UNKNOWN_JOB', 'name', 'send_text', text],
  ['UNKNOWN_JOB', 'name', 7, text],
  ['MISSING_FIELD', 'name', undefined, text],
  ['MISSING_FIELD', 'data', 'SEND_TEXT', undefined],
  ['MISSING_FIELD', 'data.to', 'SEND_TEXT', { sessionId: 'a', text: 'x' }],
  ['MISSING_FIELD', 'data.quoted.key.id', 'SEND_REPLY', { ...text, quoted: { key: { remoteJid: TO } } }],
  ['INVALID_FIELD', 'data', 'SEND_TEXT', null],
  ['INVALID_FIELD', 'data', 'SEND_TEXT', [text]],
  ['INVALID_FIELD', 'data', 'SEND_TEXT', 'text'],
  ['INVALID_FIELD', 'data.text', 'SEND_TEXT', { ...text, text: 5 }],
  ['INVALID_FIELD', 'data.to', 'SEND_TEXT', { ...text, to: null }],
  ['INVALID_FIELD', 'data.type', 'SEND_MEDIA', { ...sendMedia, type: 'gif' }],
  ['INVALID_FIELD', 'data.mimetype', 'SEND_MEDIA', { ...sendMedia, mimetype: 'pdf\r\nx: y' }],
  ['INVALID_FIELD', 'data.ptt', 'SEND_MEDIA', { ...sendMedia, ptt: 'yes' }],
  ['INVALID_FIELD', 'data.action', 'GROUP_UPDATE_PARTICIPANTS', { ...members, action: 'ban' }],
  ['INVALID_FIELD', 'data.selectableCount', 'SEND_POLL', { ...poll, selectableCount: -1 }],
  ['INVALID_FIELD', 'data.selectableCount', 'SEND_POLL', { ...poll, selectableCount: 0.5 }],
  ['INVALID_FIELD', 'data.quoted.message', 'SEND_REPLY', { ...text, quoted: { key: targetKey, message: 'x' } }],
  ['UNKNOWN_FIELD', 'data.texts', 'SEND_TEXT', { ...text, text: undefined, texts: 'x' }],
  ['INVALID_SESSION_ID', 'data.sessionId', 'STOP_SESSION', { sessionId: 'kurir:lease:0' }],
  ['INVALID_JID', 'data.to', 'SEND_TEXT', { ...text, to: 'budi@example.com' }],
  ['INVALID_JID', 'data.mentions[1]', 'SEND_TEXT', { ...text, mentions: [TO, '1234567890@g.us'] }],
  ['INVALID_JID', 'data.jid', 'GROUP_UPDATE_PARTICIPANTS', { ...members, jid: TO }],
  [
    'INVALID_JID',
    'data.key.remoteJid',
    'SEND_REACTION',
    { sessionId: 'a', to: TO, key: { remoteJid: 'x', id: 'y' }, emoji: '' },
  ],
  [
    'OTHER_CHAT',
    'data.key.remoteJid',
    'SEND_REACTION',
    { sessionId: 'a', to: TO, key: { remoteJid: '123@g.us', fromMe: true, id: 'y' }, emoji: '' },
  ],
  [
    'NO_AUTHOR',
    'data.quoted.key',
    'SEND_REPLY',
    { ...text, to: '123@g.us', quoted: { key: { remoteJid: '123@g.us', id: 'y' } } },
  ],
  ['NO_CONTACTS', 'data.contacts', 'SEND_CONTACT', { sessionId: 'a', to: TO, contacts: [] }],
  ['TOO_MANY_CONTACTS', 'data.contacts', 'SEND_CONTACT', { sessionId: 'a', to: TO, contacts: Array(257).fill('x') }],
  ['INVALID_FIELD', 'data.latitude', 'SEND_LOCATION', { sessionId: 'a', to: TO, latitude: 91, longitude: 0 }],
  [
    'INVALID_PHONE_NUMBER',
    'data.contacts[0].phoneNumber',
    'SEND_CONTACT',
    { sessionId: 'a', to: TO, contacts: [{ name: 'x', phoneNumber: '0812' }] },
  ],
  ['NOT_AN_EMOJI', 'data.emoji', 'SEND_REACTION', { sessionId: 'a', to: TO, key: targetKey, emoji: 'ok' }],
  ['INVALID_PHONE_NUMBER', 'data.phoneNumber', 'START_SESSION', { sessionId: 'a', phoneNumber: '0812' }],
  ['EMPTY_TEXT', 'data.text', 'SEND_TEXT', { ...text, text: '' }],
  ['EMPTY_TEXT', 'data.text', 'SEND_REPLY', { ...text, text: ' \n', quoted: { key: targetKey } }],
  ['EMPTY_TEXT', 'data.text', 'SEND_TEXT', { ...text, text: '\u200b \u2800' }],
  ['EMPTY_TEXT', 'data.options[1]', 'SEND_POLL', { ...poll, options: ['Senin', ''] }],
  ['EMPTY_TEXT', 'data.subject', 'GROUP_CREATE', { sessionId: 'a', subject: '', participants: [TO] }],
  ['TEXT_TOO_LONG', 'data.text', 'SEND_TEXT', { ...text, text: 'x'.repeat(MAX_TEXT_LENGTH + 1) }],
  ['POLL_TOO_FEW_OPTIONS', 'data.options', 'SEND_POLL', { ...poll, options: ['Senin'] }],
  ['POLL_TOO_MANY_OPTIONS', 'data.options', 'SEND_POLL', { ...poll, options: 'abcdefghijklm'.split('') }],
  ['POLL_DUPLICATE_OPTION', 'data.options', 'SEND_POLL', { ...poll, options: ['Caf\u00e9', ' Cafe\u0301\u200b'] }],
  ['POLL_DUPLICATE_OPTION', 'data.options', 'SEND_POLL', { ...poll, options: ['Senin', 'Senin'] }],
  ['POLL_SELECTABLE_COUNT', 'data.selectableCount', 'SEND_POLL', { ...poll, selectableCount: 3 }],
  ['INVALID_MEDIA', 'data.media', 'SEND_MEDIA', { ...sendMedia, media: './image.jpg' }],
  [
    'MEDIA_TOO_LARGE',
    'data.media',
    'SEND_MEDIA',
    { ...sendMedia, media: 'A'.repeat((MAX_INLINE_MEDIA_BYTES / 3) * 4 + 4) },
  ],
  ['NO_PARTICIPANTS', 'data.participants', 'GROUP_CREATE', { sessionId: 'a', subject: 'Tim', participants: [] }],
  [
    'TOO_MANY_PARTICIPANTS',
    'data.participants',
    'GROUP_UPDATE_PARTICIPANTS',
    { ...members, participants: Array.from({ length: 1025 }, () => TO) },
  ],
  [
    'TOO_MANY_PARTICIPANTS',
    'data.mentions',
    'SEND_TEXT',
    { ...text, mentions: Array.from({ length: 200_000 }, () => 7) },
  ],
  ['BROKEN_TEXT', 'data.text', 'SEND_TEXT', { ...text, text: 'Halo \ud83d' }],
  [
    'BROKEN_TEXT',
    'data.quoted.message',
    'SEND_REPLY',
    { ...text, quoted: { key: targetKey, message: { '\udc69': 1 } } },
  ],
  ['TOO_DEEP', 'data.quoted', 'SEND_REPLY', { ...text, quoted: { key: targetKey, message: nested(40) } }],
  ['TOO_DEEP', 'data.colour', 'SEND_TEXT', { ...text, colour: nested(100_000) }],
]

function nested(levels: number): unknown {
  let value: unknown = {}
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? { a: value } : [value]
  return value
}

describe('a job is refused', () => {
  test.each(refusals)('%s at %s (%#)', (code, path, name, data) => {
    expect(errorsOf(name, data)).toContainEqual({ path, code, message: expect.any(String) as string })
    expect(errorsOf(name, data)).toHaveLength(code === 'UNKNOWN_FIELD' ? 2 : 1)
  })

  test('with every field code but that of job options, which the edge checks', () => {
    const seen = new Set(refusals.map(([code]) => code))
    expect(FIELD_CODES.filter(code => !seen.has(code))).toEqual(['INVALID_JOB_OPTION'])
  })

  test('with all that is wrong, each under the base path', () => {
    const check = checkJob('SEND_TEXT', { sessionId: '', to: 'x', text: '' }, 'jobs[3]')
    expect(check.ok ? [] : check.errors.map(error => [error.path, error.code])).toEqual([
      ['jobs[3].data.sessionId', 'INVALID_SESSION_ID'],
      ['jobs[3].data.to', 'INVALID_JID'],
      ['jobs[3].data.text', 'EMPTY_TEXT'],
    ])
    const unknown = checkJob('X', {}, 'jobs[3]')
    expect(unknown.ok ? [] : unknown.errors.map(error => error.path)).toEqual(['jobs[3].name'])
  })

  test('and never echoes what was sent', () => {
    const secret = 'https://token@'
    const errors = errorsOf('SEND_MEDIA', { ...sendMedia, to: secret, media: secret, type: secret, sessionId: secret })
    expect(errors).toHaveLength(4)
    expect(JSON.stringify(errors)).not.toContain(secret)
  })

  test('when it tries to reach a prototype', () => {
    const data: unknown = JSON.parse('{"sessionId":"a","to":"6281234567890","text":"x","__proto__":{"admin":true}}')
    const check = checkJob('SEND_TEXT', data)
    expect(check.ok && 'admin' in check.job.data).toBe(false)
    expect(errorsOf('__proto__', data)[0]?.code).toBe('UNKNOWN_JOB')
  })
})

test('codes are unique words in capitals', () => {
  for (const codes of [FIELD_CODES, JOB_CODES, Object.keys(HTTP_STATUS)]) {
    expect(new Set(codes).size).toBe(codes.length)
    for (const code of codes) expect(code).toMatch(/^[A-Z][A-Z_]+$/)
  }
  for (const status of Object.values(HTTP_STATUS)) expect(status).toBeGreaterThanOrEqual(400)
})
