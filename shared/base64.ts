/** Letters that are looked at in one go: one regular expression over megabytes overflows the stack. */
const SLICE = 65_536

/** Base64 as it was read: in its usual alphabet and padded; or what is wrong with it. */
export type Base64 = { base64: string } | { wrong: string }

/**
 * Reads base64 as programs write it: in lines, without padding, in the alphabet for URLs, or percent-encoded. Text that is
 * in its usual form already is given back as it is.
 */
export function readBase64(text: string): Base64 {
  if (isUsual(text)) return text === '' ? { wrong: 'is empty' } : { base64: text }
  const decoded = text.includes('%') ? text.replaceAll(/%(2[BF]|3D|0[AD]|20)/gi, unescape) : text
  const dense = decoded
    .replaceAll(/\s+/g, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/')
    .replace(/={1,3}$/, '')
  if (dense === '') return { wrong: 'is empty' }
  const bad = firstBad(dense)
  if (bad !== undefined) return { wrong: `is no base64: its ${bad + 1}. character does not belong to it` }
  if (dense.length % 4 === 1) return { wrong: 'is base64 that was cut off: a character is missing at its end' }
  return { base64: dense.padEnd(Math.ceil(dense.length / 4) * 4, '=') }
}

/** Bytes that padded base64 decodes to. */
export function base64Bytes(base64: string): number {
  return Math.floor((base64.length * 3) / 4) - paddingOf(base64)
}

function isUsual(text: string): boolean {
  return text.length % 4 === 0 && firstBad(text.slice(0, text.length - paddingOf(text))) === undefined
}

function paddingOf(base64: string): number {
  return base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0
}

/** Where the first character stands that base64 does not have. */
function firstBad(text: string): number | undefined {
  for (let i = 0; i < text.length; i += SLICE) {
    const at = text.slice(i, i + SLICE).search(/[^A-Za-z0-9+/]/)
    if (at >= 0) return i + at
  }
  return undefined
}

function unescape(_escaped: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16))
}
