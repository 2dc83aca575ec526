import { describe, expect, test } from 'vitest'
import { base64Bytes } from './base64.ts'
import { MAX_INLINE_MEDIA_BYTES, media, readMedia } from './media.ts'

const LIMIT_BASE64 = (MAX_INLINE_MEDIA_BYTES / 3) * 4

describe('readMedia', () => {
  test.each(['https://example.com/image.jpg', 'http://example.com', 'HTTPS://EXAMPLE.COM/a?b=c#d', 'https://[::1]/'])(
    '%s is a URL',
    url => {
      expect(readMedia(url)).toEqual({ kind: 'url', url })
    },
  )

  test('base64 stands for its bytes', () => {
    expect(readMedia('AAECAw==')).toEqual({ kind: 'base64', base64: 'AAECAw==' })
    expect(readMedia('httpAAAA')).toEqual({ kind: 'base64', base64: 'httpAAAA' })
  })

  test.each([
    ['in lines', 'AAEC\r\nAwQF\n', 'AAECAwQF'],
    ['with spaces', ' AAEC AwQF ', 'AAECAwQF'],
    ['without padding', 'AAECAw', 'AAECAw=='],
    ['with half of it', 'AAECAw=', 'AAECAw=='],
    ['in the alphabet for URLs', '-_-_', '+/+/'],
    ['percent-encoded', 'AAE%2BAw%3D%3D', 'AAE+Aw=='],
  ])('base64 is read %s, and then written in one way', (_how, text, base64) => {
    expect(readMedia(text)).toEqual({ kind: 'base64', base64 })
    expect(media.parse(text)).toBe(base64)
    const uri = `data:image/png;base64,${text}`
    expect(readMedia(uri)).toEqual({ kind: 'base64', base64, mimetype: 'image/png' })
    expect(media.parse(uri)).toBe(`data:image/png;base64,${base64}`)
  })

  test.each([
    ['data:image/png;base64,AAEC', 'image/png', undefined],
    ['data:audio/ogg;codecs=opus;base64,AAEC', 'audio/ogg;codecs=opus', undefined],
    ['data:;base64,AAEC', 'text/plain', undefined],
    ['DATA:image/png;BASE64,AAEC', 'image/png', undefined],
    ['data: audio/ogg; codecs="opus" ; base64, AAEC', 'audio/ogg;codecs=opus', undefined],
    ['data:application/pdf;name=invoice 7.pdf;base64,AAEC', 'application/pdf', 'invoice 7.pdf'],
    ['data:application/pdf;filename="a;b%20c.pdf";base64,AAEC', 'application/pdf', 'a;b c.pdf'],
    ["data:text/csv;charset=utf-8;name*=UTF-8''%E2%82%AC.csv;base64,AAEC", 'text/csv;charset=utf-8', '€.csv'],
  ])('%s has a type, and may have a name', (text, mimetype, fileName) => {
    const source = { kind: 'base64', base64: 'AAEC', mimetype, ...(fileName !== undefined && { fileName }) }
    expect(readMedia(text)).toEqual(source)
    expect(readMedia(media.parse(text))).toEqual(source)
  })

  test.each([
    'AAECAw==',
    'data:image/png;base64,AAEC',
    'DATA:audio/ogg;codecs=opus;base64,AAEC',
    'https://a.example/b c',
  ])('%s is passed on as it stands: a jobId is told by it', text => {
    expect(media.parse(text)).toBe(text)
  })

  test('space around a URL is left out', () => {
    expect(media.parse(' https://example.com/a.jpg\n')).toBe('https://example.com/a.jpg')
  })

  test.each([
    ['', /is empty/],
    [' \n', /is empty/],
    ['A', /cut off/],
    ['AAECA', /cut off/],
    ['AAA=A===', /4\. character/],
    ['====', /1\. character/],
    ['AA!C', /3\. character/],
    ['ftp://example.com/a', /no base64/],
    ['file:///etc/passwd', /no base64/],
    ['javascript:alert(1)', /no base64/],
    ['example.com/a.jpg', /begins with http/],
    ['www.example.com', /begins with http/],
    ['http://', /valid http or https URL/],
    ['https://exa mple.com', /valid http or https URL/],
    [`https://example.com/${'a'.repeat(4096)}`, /at most 4096/],
    ['data:image/png,AAEC', /not in base64/],
    ['data:base64,AAEC', /not in base64/],
    ['data:image/png;base64,', /is empty/],
    ['data:image/png;base64', /without a comma/],
    [`data:${'a'.repeat(2000)};base64,AAEC`, /without a comma/],
  ])('%j is neither, and is told why', (text, words) => {
    expect(readMedia(text)).toMatchObject({ kind: 'wrong', wrong: expect.stringMatching(words) })
    expect(media.safeParse(text).error?.issues[0]?.message).toMatch(words)
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
  expect(readMedia('A'.repeat(8_000_000)).kind).toBe('base64')
  expect(readMedia('AAA\n'.repeat(2_000_000)).kind).toBe('base64')
  expect(readMedia(`${'A'.repeat(8_000_000 - 4)}!AAA`).kind).toBe('wrong')
  expect(readMedia(`data:${';a=b'.repeat(2_000_000)}`).kind).toBe('wrong')
  for (const fill of [';', ' ', '; ', '=;', 'a']) {
    expect(readMedia(`data:${fill.repeat(500)},`).kind).toBe('wrong')
  }
  expect(performance.now() - start).toBeLessThan(2000)
})
