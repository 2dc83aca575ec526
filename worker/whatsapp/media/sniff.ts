/** How many first bytes of a file {@link sniff} needs. */
export const SNIFF_BYTES = 512

type Test = (head: Buffer) => boolean

const at =
  (offset: number, ...texts: string[]): Test =>
  head =>
    texts.some(text => head.subarray(offset, offset + text.length).equals(Buffer.from(text, 'latin1')))

const all =
  (...tests: Test[]): Test =>
  head =>
    tests.every(test => test(head))

/** First match counts. The formats that WhatsApp knows, and those that mean that a URL answered something else. */
const FORMATS: readonly (readonly [mimetype: string, test: Test])[] = [
  ['image/jpeg', at(0, '\xff\xd8\xff')],
  ['image/png', at(0, '\x89PNG\r\n\x1a\n')],
  ['image/gif', at(0, 'GIF87a', 'GIF89a')],
  ['image/webp', all(at(0, 'RIFF'), at(8, 'WEBP'))],
  ['image/avif', all(at(4, 'ftyp'), at(8, 'avif', 'avis'))],
  ['image/heic', all(at(4, 'ftyp'), at(8, 'heic', 'heix', 'mif1', 'msf1'))],
  ['audio/mp4', all(at(4, 'ftyp'), at(8, 'M4A ', 'M4B '))],
  ['video/quicktime', all(at(4, 'ftyp'), at(8, 'qt  '))],
  // QuickTime of before 2001 has no ftyp.
  ['video/quicktime', at(4, 'moov', 'mdat', 'wide')],
  ['video/3gpp', all(at(4, 'ftyp'), at(8, '3gp'))],
  ['video/mp4', at(4, 'ftyp')],
  ['video/webm', all(at(0, '\x1a\x45\xdf\xa3'), head => head.includes('webm'))],
  ['video/x-matroska', at(0, '\x1a\x45\xdf\xa3')],
  ['video/x-msvideo', all(at(0, 'RIFF'), at(8, 'AVI '))],
  ['audio/wav', all(at(0, 'RIFF'), at(8, 'WAVE'))],
  ['audio/ogg', at(0, 'OggS')],
  ['audio/flac', at(0, 'fLaC')],
  ['audio/amr', at(0, '#!AMR')],
  // AAC before MP3: both begin with eleven set bits, and AAC's layer bits are zero.
  ['audio/aac', head => head[0] === 0xff && ((head[1] ?? 0) & 0xf6) === 0xf0],
  ['audio/mpeg', at(0, 'ID3')],
  ['audio/mpeg', head => head[0] === 0xff && ((head[1] ?? 0) & 0xe0) === 0xe0 && ((head[1] ?? 0) & 0x06) !== 0],
  ['application/pdf', at(0, '%PDF-')],
  ['application/zip', at(0, 'PK\x03\x04', 'PK\x05\x06')],
  ['application/gzip', at(0, '\x1f\x8b')],
  ['image/svg+xml', head => /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[^>]*-->\s*)*<svg[\s>]/i.test(head.toString('latin1'))],
  ['text/html', head => /^\s*(?:<!doctype html|<html|<head|<body)/i.test(head.toString('latin1'))],
  ['application/xml', head => /^\s*<\?xml/i.test(head.toString('latin1'))],
]

/** The media type that the first bytes of a file show, undefined when they show none. */
export function sniff(head: Buffer): string | undefined {
  return FORMATS.find(([, test]) => test(head))?.[0]
}
