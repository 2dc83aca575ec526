const office = (part: string) => `application/vnd.openxmlformats-officedocument.${part}`
const oasis = (part: string) => `application/vnd.oasis.opendocument.${part}`

/** Media types and the endings of their files' names, the usual one first. */
const TYPES: readonly (readonly [mimetype: string, ...endings: string[]])[] = [
  ['application/pdf', 'pdf'],
  [office('wordprocessingml.document'), 'docx'],
  [office('spreadsheetml.sheet'), 'xlsx'],
  [office('presentationml.presentation'), 'pptx'],
  ['application/msword', 'doc', 'dot'],
  ['application/vnd.ms-excel', 'xls', 'xlt'],
  ['application/vnd.ms-powerpoint', 'ppt', 'pps'],
  [oasis('text'), 'odt'],
  [oasis('spreadsheet'), 'ods'],
  [oasis('presentation'), 'odp'],
  ['application/rtf', 'rtf'],
  ['application/epub+zip', 'epub'],
  ['application/vnd.android.package-archive', 'apk'],
  ['application/zip', 'zip'],
  ['application/gzip', 'gz', 'tgz'],
  ['application/vnd.rar', 'rar'],
  ['application/x-7z-compressed', '7z'],
  ['application/json', 'json'],
  ['application/xml', 'xml'],
  ['text/csv', 'csv'],
  ['text/html', 'html', 'htm'],
  ['text/calendar', 'ics'],
  ['text/vcard', 'vcf'],
  ['text/markdown', 'md'],
  ['text/plain', 'txt', 'text', 'log'],
  ['image/jpeg', 'jpg', 'jpeg', 'jpe', 'jfif'],
  ['image/png', 'png'],
  ['image/gif', 'gif'],
  ['image/webp', 'webp'],
  ['image/heic', 'heic', 'heif'],
  ['image/avif', 'avif'],
  ['image/tiff', 'tif', 'tiff'],
  ['image/bmp', 'bmp'],
  ['image/svg+xml', 'svg'],
  ['audio/mpeg', 'mp3'],
  ['audio/mp4', 'm4a'],
  ['audio/aac', 'aac'],
  ['audio/ogg', 'ogg', 'opus', 'oga'],
  ['audio/wav', 'wav'],
  ['audio/flac', 'flac'],
  ['audio/amr', 'amr'],
  ['video/mp4', 'mp4', 'm4v'],
  ['video/quicktime', 'mov'],
  ['video/webm', 'webm'],
  ['video/x-matroska', 'mkv'],
  ['video/x-msvideo', 'avi'],
  ['video/3gpp', '3gp'],
  ['video/ogg', 'ogv'],
]

const ENDINGS = new Map(TYPES.map(([mimetype, ...endings]) => [mimetype, endings]))
const TYPE_OF_ENDING = new Map(TYPES.flatMap(([mimetype, ...endings]) => endings.map(ending => [ending, mimetype])))

/** Other names of the same types. */
const ALIASES: Readonly<Record<string, string>> = {
  'application/x-pdf': 'application/pdf',
  'application/csv': 'text/csv',
  'application/vnd.ms-word': 'application/msword',
  'application/x-zip-compressed': 'application/zip',
  'application/x-gzip': 'application/gzip',
  'application/x-rar-compressed': 'application/vnd.rar',
  'application/ogg': 'audio/ogg',
  'application/xhtml+xml': 'text/html',
  'audio/mp3': 'audio/mpeg',
  'audio/x-wav': 'audio/wav',
  'audio/x-m4a': 'audio/mp4',
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'text/json': 'application/json',
  'text/rtf': 'application/rtf',
  'text/x-vcard': 'text/vcard',
  'text/xml': 'application/xml',
}

const MIMETYPE = /^[a-z0-9.+-]+\/[a-z0-9.+-]+(?:;\s*[a-z0-9-]+=[a-z0-9."+_-]+)*$/i
const MAX_TYPE_LENGTH = 127

/** A declared media type as it stands, undefined when it is none. */
export function readType(declared: string | undefined): string | undefined {
  const type = declared?.trim().replace(/[;\s]+$/, '')
  return type !== undefined && type.length <= MAX_TYPE_LENGTH && MIMETYPE.test(type) ? type : undefined
}

/** The media type alone, without parameters, in lower case and under its usual name. */
export function essenceOf(mimetype: string): string {
  const essence = (mimetype.split(';')[0] ?? '').trim().toLowerCase()
  return Object.hasOwn(ALIASES, essence) ? (ALIASES[essence] ?? essence) : essence
}

/** The type that the ending of a file's name stands for. */
export function typeOfName(name: string | undefined): string | undefined {
  return TYPE_OF_ENDING.get(endingOf(name ?? ''))
}

/** What stands behind the last dot of a name, in lower case; empty where nothing looks like an ending. */
export function endingOf(name: string): string {
  return /[^.]\.([a-z0-9]{1,10})$/i.exec(name)?.[1]?.toLowerCase() ?? ''
}

/** The endings that files of a type have, the usual one first. */
export function endingsOf(mimetype: string): readonly string[] {
  return ENDINGS.get(essenceOf(mimetype)) ?? []
}
