import { describe, expect, test } from 'vitest'
import { group, isGroupJid, isJid, isUserJid, person, phoneNumber, readJid, recipient, sessionId } from './jid.ts'

const BUDI = '6281234567890@s.whatsapp.net'

function wrongOf(schema: { safeParse: typeof recipient.safeParse }, text: string): string | undefined {
  return schema.safeParse(text).error?.issues[0]?.message
}

describe('a recipient', () => {
  test.each([
    [BUDI, BUDI],
    ['103482910293847@lid', '103482910293847@lid'],
    ['1234567890@g.us', '1234567890@g.us'],
    ['6281234567890-1600000000@g.us', '6281234567890-1600000000@g.us'],
    ['120363041234567890@newsletter', '120363041234567890@newsletter'],
    ['status@broadcast', 'status@broadcast'],
    ['6281234567890', BUDI],
    ['+62 812-3456-7890', BUDI],
    ['(+62) 812 3456 7890', BUDI],
    ['+62\u00a0812\u20113456\u20137890', BUDI],
    ['\uff0b62 812/3456/7890', BUDI],
    ['\u202a+62 812-3456-7890\u202c', BUDI],
    ['\u2066+62\u200b812\u2060 3456\ufeff7890\u2069', BUDI],
    ['+1 (202) 555.0123', '12025550123@s.whatsapp.net'],
    ['6281234567890@c.us', BUDI],
    ['6281234567890@S.WhatsApp.net', BUDI],
    [` ${BUDI}\n`, BUDI],
    [`\u200e${BUDI}`, BUDI],
    ['6281234567890:12@s.whatsapp.net', BUDI],
    ['6281234567890_1:12@s.whatsapp.net', BUDI],
    ['6281234567890.0:12@c.us', BUDI],
    ['+62 812-3456-7890@s.whatsapp.net', BUDI],
    ['103482910293847:7@lid', '103482910293847@lid'],
    ['\u200e1234567890@g.us ', '1234567890@g.us'],
  ])('%j is %s', (text, jid) => {
    expect(recipient.parse(text)).toBe(jid)
    expect(recipient.parse(jid)).toBe(jid)
  })

  test.each([
    ['', /is empty/],
    [' \u200b ', /is empty/],
    ['budi', /is no phone number/],
    ['62812x4567890', /is no phone number/],
    ['++6281234567890', /is no phone number/],
    ['-----', /is no phone number/],
    ['081234567890', /^must begin with its country code, such as 6281234567890 for 0812/],
    ['0812-3456-7890', /country code/],
    ['06281234567@s.whatsapp.net', /country code/],
    ['006281234567890', /without the 00/],
    ['+62 (0) 812 3456 7890', /\(0\)/],
    ['1234', /too few digits/],
    ['1234567890123456', /too many digits/],
    ['\uff16\uff12\uff18\uff11\uff12\uff13\uff14\uff15\uff16', /written as 0 to 9/],
    ['\u0660\u0661\u0662\u0663\u0664\u0665', /written as 0 to 9/],
    ['@', /must end with @s.whatsapp.net/],
    ['budi@example.com', /must end with @s.whatsapp.net/],
    ['6281234567890@s_whatsapp.net', /must end with/],
    ['@s.whatsapp.net', /is empty/],
    ['1@s.whatsapp.net@g.us', /more than one @/],
    ['other@broadcast', /broadcast list/],
    ['tim@g.us', /digits alone before @g.us/],
    ['+62812@lid', /digits alone before @lid/],
    ['9'.repeat(1_000_000), /too long/],
    [`${'\u200b'.repeat(1_000_000)}62812`, /too long/],
  ])('%j is refused in words: %s', (text, words) => {
    expect(wrongOf(recipient, text)).toMatch(words)
    expect(readJid(text)).toHaveProperty('wrong')
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

test('what is no person, and what is no group, is told so', () => {
  expect(wrongOf(person, '1234567890@g.us')).toMatch(/^is a group/)
  expect(wrongOf(person, 'status@broadcast')).toMatch(/^is no person/)
  expect(wrongOf(person, '0812')).toMatch(/country code/)
  expect(group.parse(' 1234567890@g.us')).toBe('1234567890@g.us')
  expect(isGroupJid(BUDI)).toBe(false)
  for (const text of [BUDI, '1234567890']) expect(wrongOf(group, text)).toMatch(/^is no group/)
  for (const text of ['@g.us', '1234567890@g.us:1']) expect(group.safeParse(text).success).toBe(false)
})

test('a jid has no device part', () => {
  expect(isJid('6281234567890@s.whatsapp.net')).toBe(true)
  expect(isJid('6281234567890:3@s.whatsapp.net')).toBe(false)
})

test('phone numbers are 5 to 15 digits without a leading zero', () => {
  expect(phoneNumber.parse('12345')).toBe('12345')
  expect(phoneNumber.parse('(+62) 812-3456-7890')).toBe('6281234567890')
  expect(phoneNumber.parse('123456789012345')).toBe('123456789012345')
  for (const text of ['1234', '1234567890123456', '012345', '12345 ext 1', BUDI]) {
    expect(phoneNumber.safeParse(text).success).toBe(false)
  }
})

test('a session id is safe in keys and URLs', () => {
  for (const id of ['a', '0', 'user-123', 'toko.budi_2', 'A'.repeat(64)]) expect(sessionId.parse(id)).toBe(id)
  for (const id of ['', '.', '..', '-a', '_a', 'a b', 'a/b', 'a:b', 'a\n', 'é', 'a'.repeat(65), 'a%2e'])
    expect(sessionId.safeParse(id).success).toBe(false)
})
