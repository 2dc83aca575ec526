import { describe, expect, test } from 'vitest'
import { base64Bytes, MAX_INLINE_MEDIA_BYTES, media, readMediaSource } from './media.ts'

const LIMIT_BASE64 = (MAX_INLINE_MEDIA_BYTES / 3) * 4

describe('readMediaSource', () => {
  test.each(['https://example.com/image.jpg', 'http://example.com', 'HTTPS://EXAMPLE.COM/a?b=c#d', 'https://[::1]/'])(
    '%s is a URL',
    url => {
      expect(readMediaSource(url)).toEqual({ kind: 'url', url })
    },
  )

  test('base64 stands for its bytes', () => {
    expect(readMediaSource('AAECAw==')).toEqual({ kind: 'base64', base64: 'AAECAw==' })
    expect(readMediaSource('httpAAAA')).toEqual({ kind: 'base64', base64: 'httpAAAA' })
  })

  test.each([
    ['data:image/png;base64,AAEC', 'image/png'],
    ['data:audio/ogg;codecs=opus;base64,AAEC', 'audio/ogg;codecs=opus'],
    ['data:;base64,AAEC', 'text/plain'],
    ['DATA:image/png;BASE64,AAEC', 'image/png'],
  ])('%s has a type', (text, mimetype) => {
    expect(readMediaSource(text)).toEqual({ kind: 'base64', base64: 'AAEC', mimetype })
  })

  test.each([
    '',
    'A',
    'AAA',
    'AAA=A===',
    '====',
    'AA-_',
    'AAE C',
    'AAEC\n',
    'ftp://example.com/a',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'http://',
    'https://exa mple.com',
    'data:image/png,AAEC',
    'data:image/png;base64,',
    'data:image/png;base64,AA-_',
    'data:image/png\r\n;base64,AAEC',
    `https://example.com/${'a'.repeat(4096)}`,
  ])('%j is neither', text => {
    expect(readMediaSource(text)).toBeUndefined()
    expect(media.safeParse(text).success).toBe(false)
  })
})

test.each(['', 'AA==', 'AAA=', 'AAAA', 'AAAAAA=='])('the bytes of %j are counted without decoding', base64 => {
  expect(base64Bytes(base64)).toBe(Buffer.from(base64, 'base64').length)
})

test('inline media is limited, whatever it begins with', () => {
  expect(media.safeParse('A'.repeat(LIMIT_BASE64)).success).toBe(true)
  for (const start of ['AAAA', 'http', 'HTTP', 'data:image/png;base64,', 'DATA:image/png;base64,']) {
    const result = media.safeParse(start + 'A'.repeat(LIMIT_BASE64 + 4))
    expect(result.error?.issues.map(issue => (issue.code === 'custom' ? issue.params?.['code'] : issue.code))).toEqual([
      'MEDIA_TOO_LARGE',
    ])
  }
})

test('megabytes are checked quickly, good or bad', () => {
  const start = performance.now()
  expect(readMediaSource('A'.repeat(8_000_000))?.kind).toBe('base64')
  expect(readMediaSource(`${'A'.repeat(8_000_000 - 4)}!AAA`)).toBeUndefined()
  expect(readMediaSource(`data:${';a=b'.repeat(2_000_000)}`)).toBeUndefined()
  expect(performance.now() - start).toBeLessThan(2000)
})
