import { describe, expect, test } from 'vitest'
import { checkSuits, defaultFileName, mimetypeOf, type MediaType } from './mimetype.ts'
import { sniff } from './sniff.ts'

const clues = (field?: string, declared?: string, sniffed?: string) => ({ field, declared, sniffed })

describe('mimetypeOf', () => {
  test.each<[MediaType, boolean, ReturnType<typeof clues>, string]>([
    ['image', false, clues('image/png', 'image/gif', 'image/jpeg'), 'image/png'],
    ['image', false, clues(undefined, 'image/gif', 'image/jpeg'), 'image/gif'],
    ['image', false, clues(undefined, 'application/octet-stream', 'image/webp'), 'image/webp'],
    ['image', false, clues('application/pdf', undefined, undefined), 'image/jpeg'],
    ['image', false, clues('image/svg+xml'), 'image/jpeg'],
    ['video', false, clues(undefined, 'text/html; charset=utf-8'), 'video/mp4'],
    ['audio', false, clues(undefined, undefined, 'audio/mpeg'), 'audio/mpeg'],
    ['audio', false, clues(), 'audio/mpeg'],
    ['audio', true, clues(), 'audio/ogg; codecs=opus'],
    ['audio', true, clues('audio/mpeg'), 'audio/mpeg'],
    ['audio', false, clues(undefined, 'application/ogg'), 'audio/ogg; codecs=opus'],
    ['audio', true, clues('audio/ogg'), 'audio/ogg; codecs=opus'],
    ['document', false, clues(undefined, 'text/csv; charset=utf-8'), 'text/csv; charset=utf-8'],
    ['document', false, clues(undefined, 'application/octet-stream', 'application/pdf'), 'application/pdf'],
    ['document', false, clues(undefined, 'not a type at all\n'), 'application/octet-stream'],
    ['document', false, clues(undefined, `a/${'b'.repeat(200)}`), 'application/octet-stream'],
    ['document', false, clues(), 'application/octet-stream'],
  ])('%s, ptt %s, %j: %s', (type, ptt, given, expected) => {
    expect(mimetypeOf(type, ptt, given)).toBe(expected)
  })
})

describe('checkSuits', () => {
  test.each<[MediaType, string | undefined]>([
    ['image', undefined],
    ['image', 'text/html'],
    ['image', 'image/svg+xml'],
    ['image', 'image/avif'],
    ['image', 'video/mp4'],
    ['sticker', 'application/pdf'],
    ['video', undefined],
    ['video', 'image/gif'],
    ['video', 'image/svg+xml'],
    ['audio', undefined],
    ['audio', 'application/zip'],
  ])('refuses %s: %s', (type, sniffed) => {
    expect(() => checkSuits(type, sniffed)).toThrow(expect.objectContaining({ code: 'MEDIA_UNREADABLE' }))
  })

  test.each<[MediaType, string | undefined]>([
    ['image', 'image/png'],
    ['sticker', 'image/webp'],
    ['audio', 'audio/mpeg'],
    ['audio', 'video/mp4'],
    ['audio', 'video/webm'],
    ['video', 'video/3gpp'],
    ['video', 'audio/ogg'],
    ['document', 'text/html'],
    ['document', undefined],
  ])('lets %s pass: %s', (type, sniffed) => {
    expect(() => checkSuits(type, sniffed)).not.toThrow()
  })
})

describe('defaultFileName', () => {
  test.each([
    ['https://x.example/a/report%202026.pdf?sig=1#p', 'application/pdf', 'report 2026.pdf'],
    ['https://x.example/a/', 'application/pdf', 'document.pdf'],
    ['https://x.example/download', 'text/csv; charset=utf-8', 'document.csv'],
    ['https://x.example/%2e%2e%2fpasswd.txt', 'text/plain', 'document.txt'],
    ['https://x.example/%E0%A4%A.pdf', 'application/pdf', '%E0%A4%A.pdf'],
    [undefined, 'application/x-unknown', 'document'],
    [undefined, 'constructor', 'document'],
  ])('%s, %s: %s', (url, mimetype, expected) => {
    expect(defaultFileName(url, mimetype)).toBe(expected)
  })
})

describe('sniff', () => {
  test.each([
    ['\xff\xd8\xff\xe0', 'image/jpeg'],
    ['\x89PNG\r\n\x1a\n', 'image/png'],
    ['GIF89a', 'image/gif'],
    ['RIFF\0\0\0\0WEBPVP8 ', 'image/webp'],
    ['RIFF\0\0\0\0WAVEfmt ', 'audio/wav'],
    ['\0\0\0\x20ftypisom', 'video/mp4'],
    ['\0\0\0\x20ftypM4A ', 'audio/mp4'],
    ['\0\0\0\x20ftypheic', 'image/heic'],
    ['\x1a\x45\xdf\xa3....webm', 'video/webm'],
    ['OggS\0', 'audio/ogg'],
    ['ID3\x04', 'audio/mpeg'],
    ['\xff\xfb\x90', 'audio/mpeg'],
    ['\xff\xf1\x50', 'audio/aac'],
    ['%PDF-1.7', 'application/pdf'],
    ['PK\x03\x04', 'application/zip'],
    ['  <!DOCTYPE html>', 'text/html'],
    ['<?xml version="1.0"?>\n<svg xmlns="', 'image/svg+xml'],
    ['<?xml version="1.0"?><feed>', 'application/xml'],
    ['hello', undefined],
    ['', undefined],
    ['\xff', undefined],
  ])('%j is %s', (head, expected) => {
    expect(sniff(Buffer.from(head, 'latin1'))).toBe(expected)
  })
})
