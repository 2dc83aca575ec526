import { expect, it } from 'vitest'
import { isEmoji } from './emoji.ts'

it.each(['👍', '❤', '❤️', '👍🏽', '👩‍❤️‍👨', '🏳️‍🌈', '🇮🇩', '1️⃣', '🫱🏻‍🫲🏿', '☺'])('takes %s', text => {
  expect(isEmoji(text)).toBe(true)
})

it.each(['', 'ok', '👍👍', '1', '#', ':)', 'a👍', '👍 ', '\u{1f44d}x', '\u200d'])('does not take %j', text => {
  expect(isEmoji(text)).toBe(false)
})
