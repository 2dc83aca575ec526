/** How many first bytes of a file {@link sniff} needs: the names of an office file's parts stand behind the first part. */
export const SNIFF_BYTES = 4096

type Test = (head: Buffer) => boolean

const at =
  (offset: number, ...texts: string[]): Test =>
  head =>
    texts.some(text => head.subarray(offset, offset + text.length).equals(Buffer.from(text, 'latin1')))

const has =
  (text: string, within = SNIFF_BYTES): Test =>
  head =>
    head.subarray(0, within).includes(Buffer.from(text, 'latin1'))

const all =
  (...tests: Test[]): Test =>
  head =>
    tests.every(test => test(head))

const isZip = at(0, 'PK\x03\x04')
/** An Ogg page names the codec of its first stream behind a head of 28 bytes. */
const isOgg = at(0, 'OggS')
const office = (part: string) => `application/vnd.openxmlformats-officedocument.${part}`
/** A ZIP has the name of each entry before its bytes, behind a head of 30 bytes. */
const holds = (folder: string): Test => {
  const entry = new RegExp(`PK\\x03\\x04[^]{26}${folder}`)
  return head => isZip(head) && entry.test(head.toString('latin1'))
}
/** The first entry of such a ZIP is not compressed, is called mimetype, and holds it. */
const declares = (mimetype: string): Test => all(isZip, at(30, `mimetype${mimetype}`))

/** First match counts. The formats that WhatsApp knows, and those that mean that a URL answered something else. */
const FORMATS: readonly (readonly [mimetype: string, test: Test])[] = [
  ['image/jpeg', at(0, '\xff\xd8\xff')],
  ['image/png', at(0, '\x89PNG\r\n\x1a\n')],
  ['image/gif', at(0, 'GIF87a', 'GIF89a')],
  ['image/webp', all(at(0, 'RIFF'), at(8, 'WEBP'))],
  ['image/avif', all(at(4, 'ftyp'), at(8, 'avif', 'avis'))],
  ['image/heic', all(at(4, 'ftyp'), at(8, 'heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1'))],
  ['image/tiff', at(0, 'II*\0', 'MM\0*')],
  ['image/bmp', all(at(0, 'BM'), at(6, '\0\0\0\0'))],
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
  ['audio/ogg; codecs=opus', all(isOgg, at(28, 'OpusHead'))],
  ['audio/ogg; codecs=vorbis', all(isOgg, at(28, '\x01vorbis'))],
  ['video/ogg', all(isOgg, at(28, '\x80theora'))],
  ['audio/ogg', isOgg],
  ['audio/flac', at(0, 'fLaC')],
  ['audio/amr', at(0, '#!AMR')],
  // AAC before MP3: both begin with eleven set bits, and AAC's layer bits are zero.
  ['audio/aac', head => head[0] === 0xff && ((head[1] ?? 0) & 0xf6) === 0xf0],
  ['audio/mpeg', at(0, 'ID3')],
  // Not 0xfe: with it, text in UTF-16 begins.
  [
    'audio/mpeg',
    head => head[0] === 0xff && head[1] !== 0xfe && ((head[1] ?? 0) & 0xe0) === 0xe0 && ((head[1] ?? 0) & 0x06) !== 0,
  ],
  // Readers of PDF look for its head in the first KiB.
  ['application/pdf', has('%PDF-', 1024)],
  [office('wordprocessingml.document'), holds('word/')],
  [office('spreadsheetml.sheet'), holds('xl/')],
  [office('presentationml.presentation'), holds('ppt/')],
  ['application/epub+zip', declares('application/epub+zip')],
  ['application/vnd.oasis.opendocument.text', declares('application/vnd.oasis.opendocument.text')],
  ['application/vnd.oasis.opendocument.spreadsheet', declares('application/vnd.oasis.opendocument.spreadsheet')],
  ['application/vnd.oasis.opendocument.presentation', declares('application/vnd.oasis.opendocument.presentation')],
  ['application/zip', at(0, 'PK\x03\x04', 'PK\x05\x06')],
  // The container of Office files before 2007, and of newer ones with a password.
  ['application/x-cfb', at(0, '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1')],
  ['application/rtf', at(0, '{\\rtf')],
  ['application/vnd.rar', at(0, 'Rar!\x1a\x07')],
  ['application/x-7z-compressed', at(0, '7z\xbc\xaf\x27\x1c')],
  ['application/gzip', at(0, '\x1f\x8b')],
  ['image/svg+xml', head => /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[^>]*-->\s*)*<svg[\s>]/i.test(head.toString('latin1'))],
  [
    'text/html',
    head => /^[\s\xef\xbb\xbf]*(?:<!--[^>]*-->\s*)*(?:<!doctype html|<html|<head|<body)/i.test(head.toString('latin1')),
  ],
  ['application/xml', head => /^\s*<\?xml/i.test(head.toString('latin1'))],
]

/** The media type that the first bytes of a file show, undefined when they show none. */
export function sniff(head: Buffer): string | undefined {
  return FORMATS.find(([, test]) => test(head))?.[0]
}

/** Whether the first bytes of a file are text: UTF-16 with its mark, or UTF-8 or an older alphabet, which hold no controls but those of lines. */
export function isText(head: Buffer): boolean {
  if (at(0, '\xff\xfe', '\xfe\xff')(head)) return true
  return head.length > 0 && !head.some(byte => byte < 32 && (byte < 8 || byte > 13) && byte !== 27)
}
