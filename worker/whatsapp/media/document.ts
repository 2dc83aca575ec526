import { JobFailure } from '../../jobs/job.ts'
import { isText, sniff } from './sniff.ts'
import { endingOf, endingsOf, essenceOf, readType, typeOfName } from './types.ts'

/** What is known of a document beside its bytes. */
export interface DocumentClues {
  /** The file's first bytes. */
  head: Buffer
  /** The job's `mimetype`. */
  field: string | undefined
  /** The job's `fileName`. */
  fileName: string | undefined
  /** The type of the data URI or of the response. */
  declared: string | undefined
  /** Names that it came with, the best first: of the response's Content-Disposition, of the URLs it came from. */
  names: readonly string[]
}

const OCTETS = 'application/octet-stream'
const TEXT = 'text/plain'
/** What servers say of files that they know nothing of. */
const GENERIC = new Set([
  OCTETS,
  'binary/octet-stream',
  'application/binary',
  'application/download',
  'application/force-download',
  'application/x-download',
  'application/unknown',
  'application/x-unknown',
  'application/x-www-form-urlencoded',
  'application/x-msdownload',
  'multipart/form-data',
  'unknown/unknown',
  TEXT,
])

const OLD_OFFICE = ['application/msword', 'application/vnd.ms-excel', 'application/vnd.ms-powerpoint']
const isOpenXml = (type: string) => type.startsWith('application/vnd.openxmlformats-officedocument.')
/** Types whose files are told by their bytes without fail: a file that has not these bytes is none. */
const PROVEN = new Set(['application/pdf', 'application/zip', 'image/jpeg', 'image/png', 'image/gif', 'image/webp'])
const isProven = (type: string) => PROVEN.has(type) || isOpenXml(type)

/** Bytes that many types share: which types a file of them may be. */
const SHARED: Readonly<Record<string, (type: string) => boolean>> = {
  'application/zip': type => type.startsWith('application/') && type !== 'application/pdf',
  'application/x-cfb': type => OLD_OFFICE.includes(type) || isOpenXml(type) || type.startsWith('application/vnd.ms-'),
  // Programs write web pages and tables of text under the names of old Office files, and phones open them.
  'text/html': type => type === 'text/html' || OLD_OFFICE.includes(type),
  'application/xml': type => type.endsWith('xml') || type.startsWith('text/') || OLD_OFFICE.includes(type),
  'application/rtf': type => type === 'application/rtf' || type === 'application/msword',
  [TEXT]: type => !isProven(type) && !/^(?:image|audio|video)\//.test(type),
  [OCTETS]: type => !isProven(type),
}

/**
 * The type to announce for a document: what its bytes show; where these are shared by several types, the job's, the
 * declared, or the one that its name stands for, the first that fits. What a server says of any file counts for nothing.
 * Throws `MEDIA_UNREADABLE` when a page or a text is sent as something that it is not: the recipient could not open it, and
 * it is most often the login or error page of whoever should have answered with the file.
 */
export function documentType({ head, field, fileName, declared, names }: DocumentClues): string {
  const shown = sniff(head) ?? (isText(head) ? TEXT : OCTETS)
  const fits = Object.hasOwn(SHARED, essenceOf(shown)) ? SHARED[essenceOf(shown)] : undefined
  const claims = [field, typeOfName(fileName), declared, ...names.map(typeOfName)].flatMap(claim => {
    const type = readType(claim)
    return type === undefined || GENERIC.has(essenceOf(type)) ? [] : [type]
  })
  if (fits === undefined) return claims.find(claim => essenceOf(claim) === essenceOf(shown)) ?? shown
  const broken = claims.map(essenceOf).find(claim => isProven(claim) && !fits(claim))
  if (broken !== undefined) throw new JobFailure('MEDIA_UNREADABLE', `the media is ${WORDS[shown]}, and not ${broken}`)
  // A ZIP that is called one may still be a document by its name.
  const fitting = claims.filter(claim => fits(essenceOf(claim)))
  return (
    fitting.find(claim => essenceOf(claim) !== shown) ?? fitting[0] ?? (shown === 'application/x-cfb' ? OCTETS : shown)
  )
}

const PAGE = ' (the URL may lead to a login or error page)'
const WORDS: Readonly<Record<string, string>> = {
  'application/zip': 'a ZIP archive',
  'application/x-cfb': 'an Office file of before 2007',
  'text/html': `a web page${PAGE}`,
  'application/xml': `XML${PAGE}`,
  'application/rtf': 'rich text',
  [TEXT]: `a text${PAGE}`,
  [OCTETS]: 'of no format that is known here',
}

/** Types that say little of what is in the file: any ending may be right. */
const ANY_ENDING = new Set([OCTETS, TEXT, 'application/zip', 'application/xml', 'application/json', 'application/gzip'])

/** The name of a document: the job's, else the first that it came with, with an ending that fits its type. */
export function documentName({ fileName, names }: Pick<DocumentClues, 'fileName' | 'names'>, mimetype: string): string {
  const given = fileName?.trim() || names.find(name => endingOf(name) !== '') || 'document'
  const endings = endingsOf(mimetype)
  const [usual] = endings
  const ending = endingOf(given)
  if (usual === undefined || endings.includes(ending)) return given
  if (ending !== '' && ANY_ENDING.has(essenceOf(mimetype))) return given
  // An ending that stands for another type would have the phone open the file with the wrong program.
  const bare = typeOfName(given) === undefined ? given : given.slice(0, -ending.length - 1)
  return `${bare}.${usual}`
}
