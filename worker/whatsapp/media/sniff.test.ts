import { expect, test } from 'vitest'
import { isText, sniff } from './sniff.ts'

const OFFICE = 'application/vnd.openxmlformats-officedocument'
/** A ZIP's local entries, as far as a sniffer reads them. */
const zip = (...names: string[]) => names.map(name => `PK\x03\x04${'\0'.repeat(26)}${name}some bytes`).join('')

test.each([
  ['\xff\xd8\xff\xe0', 'image/jpeg'],
  ['\x89PNG\r\n\x1a\n', 'image/png'],
  ['GIF89a', 'image/gif'],
  ['RIFF\0\0\0\0WEBPVP8 ', 'image/webp'],
  ['RIFF\0\0\0\0WAVEfmt ', 'audio/wav'],
  ['II*\0', 'image/tiff'],
  ['BM\x10\0\0\0\0\0\0\0', 'image/bmp'],
  ['BMW is a car', undefined],
  ['\0\0\0\x20ftypisom', 'video/mp4'],
  ['\0\0\0\x20ftypM4A ', 'audio/mp4'],
  ['\0\0\0\x20ftypheic', 'image/heic'],
  ['\0\0\0\x20ftypavif', 'image/avif'],
  ['\x1a\x45\xdf\xa3....webm', 'video/webm'],
  [`OggS${'\0'.repeat(24)}OpusHead`, 'audio/ogg; codecs=opus'],
  [`OggS${'\0'.repeat(24)}\x01vorbis`, 'audio/ogg; codecs=vorbis'],
  [`OggS${'\0'.repeat(24)}\x80theora`, 'video/ogg'],
  ['OggS\0', 'audio/ogg'],
  ['ID3\x04', 'audio/mpeg'],
  ['\xff\xfb\x90', 'audio/mpeg'],
  ['\xff\xfen\0a\0m\0e\0', undefined],
  ['\xff\xf1\x50', 'audio/aac'],
  ['%PDF-1.7', 'application/pdf'],
  ['junk\r\n%PDF-1.7', 'application/pdf'],
  [zip('[Content_Types].xml', 'word/document.xml'), `${OFFICE}.wordprocessingml.document`],
  [zip('[Content_Types].xml', '_rels/.rels', 'xl/workbook.xml'), `${OFFICE}.spreadsheetml.sheet`],
  [zip('[Content_Types].xml', 'ppt/presentation.xml'), `${OFFICE}.presentationml.presentation`],
  [zip('mimetypeapplication/vnd.oasis.opendocument.text'), 'application/vnd.oasis.opendocument.text'],
  [zip('notes.txt about xl/ and word/'), 'application/zip'],
  ['\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'application/x-cfb'],
  ['{\\rtf1', 'application/rtf'],
  ['  <!DOCTYPE html>', 'text/html'],
  ['\xef\xbb\xbf<!-- a --><html>', 'text/html'],
  ['<?xml version="1.0"?>\n<svg xmlns="', 'image/svg+xml'],
  ['<?xml version="1.0"?><feed>', 'application/xml'],
  ['hello', undefined],
  ['', undefined],
  ['\xff', undefined],
])('%j is %s', (head, expected) => {
  expect(sniff(Buffer.from(head, 'latin1'))).toBe(expected)
})

test.each([
  ['name;price\r\nKopi;15.000\r\n', true],
  ['\xef\xbb\xbfkopi', true],
  ['caf\xe9', true],
  ['\xff\xfen\0a\0', true],
  ['', false],
  ['\0\x01\x02', false],
  ['PK\x03\x04', false],
])('%j is text: %s', (head, expected) => {
  expect(isText(Buffer.from(head, 'latin1'))).toBe(expected)
})
