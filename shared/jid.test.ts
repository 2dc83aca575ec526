import { describe, expect, test } from 'vitest'
import { group, isGroupJid, isJid, isUserJid, person, phoneDigits, recipient, sessionId, toJid } from './jid.ts'

describe('toJid', () => {
  test.each([
    ['6281234567890@s.whatsapp.net', '6281234567890@s.whatsapp.net'],
    ['103482910293847@lid', '103482910293847@lid'],
    ['1234567890@g.us', '1234567890@g.us'],
    ['6281234567890-1600000000@g.us', '6281234567890-1600000000@g.us'],
    ['120363041234567890@newsletter', '120363041234567890@newsletter'],
    ['status@broadcast', 'status@broadcast'],
    ['6281234567890', '6281234567890@s.whatsapp.net'],
    ['+62 812-3456-7890', '6281234567890@s.whatsapp.net'],
    ['+1 (202) 555.0123', '12025550123@s.whatsapp.net'],
  ])('%s is %s', (text, jid) => {
    expect(toJid(text)).toBe(jid)
    expect(recipient.parse(text)).toBe(jid)
  })

  test.each([
    '',
    ' ',
    'budi',
    '@',
    '@s.whatsapp.net',
    '6281234567890@c.us',
    '6281234567890@s.whatsapp.net ',
    '6281234567890@s.whatsapp.net\n',
    '6281234567890:12@s.whatsapp.net',
    '6281234567890@S.WHATSAPP.NET',
    '+6281234567890@s.whatsapp.net',
    '06281234567@s.whatsapp.net',
    '6281234567890@s_whatsapp.net',
    '1@s.whatsapp.net@g.us',
    'other@broadcast',
    '081234567890',
    '1234',
    '1234567890123456',
    '62812x4567890',
    '６２８１２３４５６７８９０',
    '-----',
    '++6281234567890',
  ])('%j is none', text => {
    expect(toJid(text)).toBeUndefined()
    expect(recipient.safeParse(text).success).toBe(false)
  })
})

test('a person is a user or a LID', () => {
  expect(person.parse('+62 812 3456 7890')).toBe('6281234567890@s.whatsapp.net')
  expect(person.parse('103482910293847@lid')).toBe('103482910293847@lid')
  for (const jid of ['1234567890@g.us', 'status@broadcast', '1234567@newsletter', 'x']) {
    expect(person.safeParse(jid).success).toBe(false)
    expect(isUserJid(jid)).toBe(false)
  }
})

test('a group is a group jid and never a number', () => {
  expect(group.parse('1234567890@g.us')).toBe('1234567890@g.us')
  expect(isGroupJid('6281234567890@s.whatsapp.net')).toBe(false)
  for (const text of ['1234567890', '@g.us', '1234567890@g.us:1']) expect(group.safeParse(text).success).toBe(false)
})

test('a jid has no device part', () => {
  expect(isJid('6281234567890@s.whatsapp.net')).toBe(true)
  expect(isJid('6281234567890:3@s.whatsapp.net')).toBe(false)
})

test('phone numbers are 5 to 15 digits without a leading zero', () => {
  expect(phoneDigits('12345')).toBe('12345')
  expect(phoneDigits('123456789012345')).toBe('123456789012345')
  for (const text of ['1234', '1234567890123456', '012345', '12345 ext 1']) expect(phoneDigits(text)).toBeUndefined()
})

test('a session id is safe in keys and URLs', () => {
  for (const id of ['a', '0', 'user-123', 'toko.budi_2', 'A'.repeat(64)]) expect(sessionId.parse(id)).toBe(id)
  for (const id of ['', '.', '..', '-a', '_a', 'a b', 'a/b', 'a:b', 'a\n', 'é', 'a'.repeat(65), 'a%2e'])
    expect(sessionId.safeParse(id).success).toBe(false)
})
