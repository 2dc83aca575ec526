import { describe, expect, test } from 'vitest'
import { checkJob } from './contract.ts'
import { nearestName } from './nearest.ts'

describe('nearestName', () => {
  const known = ['sessionId', 'to', 'text', 'mentions', 'fileName', 'selectableCount']
  test.each([
    ['mention', 'mentions'],
    ['Mentions', 'mentions'],
    ['filename', 'fileName'],
    ['file_name', 'fileName'],
    ['selectable_count', 'selectableCount'],
    ['session-id', 'sessionId'],
    ['sesionId', 'sessionId'],
    ['chatId', 'to'],
    ['message', 'text'],
    ['colour', undefined],
    ['', undefined],
    ['id', undefined],
    ['🎉', undefined],
    ['x'.repeat(1_000_000), undefined],
  ])('%s means %s', (name, expected) => {
    expect(nearestName(name, known)).toBe(expected)
  })
})

const TO = '6281234567890@s.whatsapp.net'
const key = { remoteJid: TO, id: 'BAE5' }

function unknownOf(name: string, data: Record<string, unknown>) {
  const check = checkJob(name, { sessionId: 'a', to: TO, ...data })
  return (check.ok ? check.unknown : check.errors).map(({ path, code, message }) => [path, code, message])
}

describe('an unknown field', () => {
  test('is named, with the one that was meant', () => {
    expect(unknownOf('SEND_TEXT', { text: 'x', mention: [TO] })).toEqual([
      ['data.mention', 'UNKNOWN_FIELD', 'is no field of SEND_TEXT: did you mean mentions?'],
    ])
    expect(unknownOf('SEND_TEXT', { text: 'x', colour: 'red' })).toEqual([
      ['data.colour', 'UNKNOWN_FIELD', 'is no field of SEND_TEXT: there are sessionId, to, text, mentions'],
    ])
  })

  test('is told beside what is missing', () => {
    expect(unknownOf('SEND_TEXT', { message: 'x' }).map(([path, code]) => [path, code])).toEqual([
      ['data.text', 'MISSING_FIELD'],
      ['data.message', 'UNKNOWN_FIELD'],
    ])
  })

  test('is looked for in what has refinements, too', () => {
    const poll = { name: 'Kapan?', options: ['a', 'b'], selectable_count: 1 }
    expect(unknownOf('SEND_POLL', poll)).toEqual([['data.selectable_count', 'UNKNOWN_FIELD', expect.any(String)]])
  })

  test('may stand in what a webhook gave, unless it is one of ours in another spelling', () => {
    const given = { ...key, fromMe: false, remoteJidAlt: '1@lid', addressingMode: 'lid' }
    expect(unknownOf('SEND_REACTION', { key: given, emoji: '' })).toEqual([])
    const quoted = { key: given, message: { conversation: 'x', anything: 1 }, pushName: 'Budi', messageTimestamp: 1 }
    expect(unknownOf('SEND_REPLY', { text: 'x', quoted })).toEqual([])
    expect(unknownOf('SEND_REACTION', { key: { ...key, from_me: true }, emoji: '' })).toEqual([
      ['data.key.from_me', 'UNKNOWN_FIELD', 'is no field of data.key: did you mean fromMe?'],
    ])
  })

  test('has a path of bounded length, and so has the list of them', () => {
    expect(unknownOf('SEND_TEXT', { text: 'x', ['y'.repeat(1_000_000)]: 1 })[0]?.[0]?.length).toBeLessThan(100)
    const many = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`field${i}`, 1]))
    expect(unknownOf('SEND_TEXT', { text: 'x', ...many })).toHaveLength(100)
  })
})
