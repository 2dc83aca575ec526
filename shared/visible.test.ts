import { expect, test } from 'vitest'
import { isVisible, seenAs } from './visible.ts'

test.each(['', ' \n\t', '\u200b', '\u2800', '\u3164', '\ufe0f', '\u200e \u2066\u2069', '\u{e0020}', '\0', '\u00ad'])(
  'nothing is seen of %j',
  text => {
    expect(isVisible(text)).toBe(false)
  },
)

test.each(['.', ' a ', '👍', '❤️', '👨‍👩‍👧', 'می‌خواهم', '‏שלום'])('something is seen of %s', text => {
  expect(isVisible(text)).toBe(true)
})

test('texts that look the same are the same', () => {
  expect(seenAs(' Cafe\u0301\u200b ')).toBe(seenAs('Café'))
  expect(seenAs('❤️')).toBe(seenAs('❤'))
  expect(seenAs('a b')).not.toBe(seenAs('ab'))
  expect(seenAs('Senin')).not.toBe(seenAs('senin'))
})
