import * as z from 'zod'
import { base64Bytes, readBase64 } from './base64.ts'
import type { FieldCode } from './errors.ts'

/** Most bytes that inline media (base64 or data URI) may decode to. Larger media goes by URL. */
export const MAX_INLINE_MEDIA_BYTES = 6 * 1024 * 1024

/** Longest head of a data URI: all before its comma. */
const MAX_HEAD_LENGTH = 1024
const MAX_URL_LENGTH = 4096
/** A parameter of a media type, its value a word or quoted. */
const PARAMETER = /;\s*([a-z0-9*-]+)\s*=\s*("[^"]*"|[^;,"]*)/gi

/** The three ways a job can carry media: a URL to fetch, or bytes as base64, which a data URI may give a type and a name. */
export type MediaSource =
  | { kind: 'url'; url: string }
  | { kind: 'base64'; base64: string; mimetype?: string; fileName?: string }

type InlineMedia = Extract<MediaSource, { kind: 'base64' }>

/** What a job's `media` text is; or what is wrong with it, in words that go behind the name of the field. */
export type MediaReading = MediaSource | { kind: 'wrong'; code: FieldCode; wrong: string }

/** Says what a job's `media` text is: an http(s) URL, base64, or a base64 data URI. */
export function readMedia(text: string): MediaReading {
  const start = text.slice(0, 16).trimStart()
  if (/^https?:\/\//i.test(start)) return readUrl(text.trim())
  if (/^data:/i.test(start)) return readDataUri(text.trimStart())
  return readInline(text, {})
}

function readUrl(url: string): MediaReading {
  if (url.length <= MAX_URL_LENGTH && URL.canParse(url)) return { kind: 'url', url }
  return wrong('INVALID_MEDIA', `must be a valid http or https URL of at most ${MAX_URL_LENGTH} characters`)
}

function readDataUri(text: string): MediaReading {
  const [head, type = ''] = /^data:([^,]*),/i.exec(text.slice(0, MAX_HEAD_LENGTH)) ?? []
  if (head === undefined) return wrong('INVALID_MEDIA', 'is a data URI without a comma before its bytes')
  const parts = type.split(';').map(part => part.trim())
  if (parts.length < 2 || parts.at(-1)?.toLowerCase() !== 'base64') {
    return wrong('INVALID_MEDIA', 'is a data URI whose bytes are not in base64: write ;base64,')
  }
  const [essence = ''] = parts
  let mimetype = /^[a-z0-9.+-]+\/[a-z0-9.+-]+$/i.test(essence) ? essence : 'text/plain'
  let fileName: string | undefined
  for (const [, name = '', quoted = ''] of type.matchAll(PARAMETER)) {
    const value = quoted.replaceAll('"', '').trim()
    if (/^(?:file)?name\*?$/i.test(name)) fileName = decoded(value)
    else if (/^[a-z0-9.+_-]+$/i.test(value)) mimetype += `;${name}=${value}`
  }
  return readInline(text.slice(head.length), { mimetype, ...(fileName && { fileName }) })
}

function readInline(text: string, described: { mimetype?: string; fileName?: string }): MediaReading {
  const read = readBase64(text)
  if ('wrong' in read) {
    const isHost = /^\s*(?:www\.|[a-z0-9-]+(?:\.[a-z0-9-]+)+[/:])/i.test(text.slice(0, 256))
    const words = isHost ? 'is no base64, and a URL begins with http:// or https://' : read.wrong
    return wrong('INVALID_MEDIA', `${words} (media is an http or https URL, base64, or a base64 data URI)`)
  }
  if (base64Bytes(read.base64) <= MAX_INLINE_MEDIA_BYTES) return { kind: 'base64', base64: read.base64, ...described }
  return wrong('MEDIA_TOO_LARGE', 'is over 6 MiB: send larger media by URL')
}

function wrong(code: FieldCode, words: string): MediaReading {
  return { kind: 'wrong', code, wrong: words }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replace(/^utf-8'[^']*'/i, ''))
  } catch {
    return text
  }
}

/** A job's media, see {@link readMedia}. Its output is in one spelling, so that the same bytes are the same job. */
export const media = z.string().transform((text, context) => {
  const source = readMedia(text)
  if (source.kind === 'url') return source.url
  if (source.kind === 'base64') return isUsual(text, source) ? text : textOf(source)
  context.addIssue({ code: 'custom', message: source.wrong, params: { code: source.code } })
  return z.NEVER
})

/** A data URI with its bytes in their usual form is left as it is, whatever its head looks like. */
function isUsual(text: string, { base64, mimetype }: InlineMedia): boolean {
  return mimetype !== undefined && text.endsWith(base64)
}

function textOf({ base64, mimetype, fileName }: InlineMedia): string {
  if (mimetype === undefined) return base64
  const name = fileName === undefined ? '' : `;name=${encodeURIComponent(fileName)}`
  return `data:${mimetype}${name};base64,${base64}`
}
