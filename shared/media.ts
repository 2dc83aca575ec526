import * as z from 'zod'
import { coded } from './coded.ts'

/** Most bytes that inline media (base64 or data URI) may decode to. Larger media goes by URL. */
export const MAX_INLINE_MEDIA_BYTES = 6 * 1024 * 1024

const DATA_URI = /^data:([a-z0-9.+-]+\/[a-z0-9.+-]+)?((?:;[a-z0-9-]+=[a-z0-9.+"_-]+)*);base64,/i
const MAX_URL_LENGTH = 4096

/** The three ways a job can carry media: a URL to fetch, or bytes as base64 with or without a type. */
export type MediaSource = { kind: 'url'; url: string } | { kind: 'base64'; base64: string; mimetype?: string }

/** Says what a job's `media` text is; undefined when it is neither URL, nor base64, nor data URI. */
export function readMediaSource(text: string): MediaSource | undefined {
  if (looksLikeUrl(text)) return isUrl(text) ? { kind: 'url', url: text } : undefined
  const head = DATA_URI.exec(text.slice(0, 512))
  const base64 = head === null ? text : text.slice(head[0].length)
  if (!isBase64(base64)) return undefined
  const mimetype = head === null ? undefined : `${head[1] ?? 'text/plain'}${head[2] ?? ''}`
  return { kind: 'base64', base64, ...(mimetype !== undefined && { mimetype }) }
}

function looksLikeUrl(text: string): boolean {
  return /^https?:\/\//i.test(text)
}

function isUrl(text: string): boolean {
  return text.length <= MAX_URL_LENGTH && URL.canParse(text)
}

/** Canonical alphabet with its padding. Checked in slices: one regular expression over megabytes overflows the stack. */
function isBase64(text: string): boolean {
  if (text.length === 0 || text.length % 4 !== 0) return false
  const body = text.length - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)
  for (let i = 0; i < body; i += 65_536) {
    if (!/^[A-Za-z0-9+/]*$/.test(text.slice(i, Math.min(i + 65_536, body)))) return false
  }
  return true
}

/** Bytes that base64 text decodes to. */
export function base64Bytes(base64: string): number {
  return Math.floor((base64.length * 3) / 4) - (base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0)
}

/** A job's media: an http(s) URL, base64, or a base64 data URI. */
export const media = z.string().check(
  coded(
    text => looksLikeUrl(text) || readMediaSource(text) !== undefined,
    'INVALID_MEDIA',
    'must be an http or https URL, base64, or a base64 data URI',
  ),
  coded(
    text => !looksLikeUrl(text) || readMediaSource(text) !== undefined,
    'INVALID_MEDIA',
    'must be a valid http or https URL of at most 4096 characters',
  ),
  coded(
    text => looksLikeUrl(text) || base64Bytes(text.slice(text.indexOf(',') + 1)) <= MAX_INLINE_MEDIA_BYTES,
    'MEDIA_TOO_LARGE',
    'is over 6 MiB: send larger media by URL',
  ),
)
