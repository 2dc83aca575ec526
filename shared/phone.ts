import { withoutInvisible } from './visible.ts'

/** What a text was read as, or what is wrong with it, in words that go behind the name of its field. */
export type Read = { value: string } | { wrong: string }

/** Longest text that is looked at, as a number or a jid. */
const MAX_LENGTH = 100
/** Spaces, dots, slashes, brackets, and whatever Unicode counts as a dash or minus. */
const SEPARATORS = /[\s./()\p{Dash}]/gu
const COUNTRY = 'begin with its country code, such as 6281234567890 for 0812-3456-7890 in Indonesia'

/** Digits of a phone number as people write it: `+62 812-3456-789`, `(+62) 812 3456 789`. WhatsApp takes 5 to 15 digits. */
export function readPhone(text: string): Read {
  const plain = tidy(text)
  if (plain === '') return { wrong: `is empty: write a phone number that must ${COUNTRY}` }
  if (plain.length > MAX_LENGTH) return { wrong: 'is too long for a phone number' }
  if (/\(\s*0\s*\)/.test(plain)) return { wrong: 'has a (0), which is not dialled from abroad: leave it out' }
  const dense = plain.replaceAll(SEPARATORS, '').replace(/^[+\uff0b]/, '')
  if (/^\d+$/.test(dense)) return readDigits(dense)
  if (/^\p{Nd}+$/u.test(dense)) return { wrong: 'must have its digits written as 0 to 9' }
  return { wrong: `is no phone number: it has other characters than digits, spaces, +, -, . and brackets` }
}

function readDigits(digits: string): Read {
  if (digits.startsWith('00')) return { wrong: `must ${COUNTRY}, without the 00 that is dialled before it` }
  if (digits.startsWith('0')) return { wrong: `must ${COUNTRY}` }
  if (digits.length < 5) return { wrong: 'has too few digits: a phone number with its country code has 5 to 15' }
  if (digits.length > 15) return { wrong: 'has too many digits: a phone number with its country code has 5 to 15' }
  return { value: digits }
}

/** Without what shows nothing and without space around it. */
export function tidy(text: string): string {
  // A text of megabytes is no number, and is not worth the work.
  return text.length > 4 * MAX_LENGTH ? text : withoutInvisible(text).trim()
}
