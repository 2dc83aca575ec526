import { withoutInvisible } from '../../shared/visible.ts'

/** Longest name that is kept, in characters: WhatsApp's field has room for more, file systems of phones do not. */
const MAX_LENGTH = 200

/** The name in a Content-Disposition header (RFC 6266), `filename*` (RFC 8187) before `filename`. */
export function nameOfDisposition(header: string | undefined): string | undefined {
  if (header === undefined || header.length > 8192) return undefined
  const parameters = new Map<string, string>()
  for (const [, name = '', quoted, token = ''] of header.matchAll(
    /;\s*([a-z]+\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/gi,
  )) {
    const value = quoted === undefined ? token.trim() : quoted.replaceAll(/\\(.)/g, '$1')
    if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value)
  }
  const plain = parameters.get('filename')
  return cleanName(extended(parameters.get('filename*')) ?? (plain === undefined ? undefined : asUtf8(plain)))
}

/** The last part of a URL's path. */
export function nameOfUrl(url: string): string | undefined {
  const last = new URL(url).pathname.split('/').at(-1) ?? ''
  return cleanName(percentDecoded(last) ?? last)
}

/**
 * A name that strangers gave, as a name alone: without folders, and without what shows nothing, by which `gpj.exe` may be
 * made to look like `exe.jpg`. Undefined when nothing is left.
 */
export function cleanName(name: string | undefined): string | undefined {
  const last = withoutInvisible(name ?? '')
    .split(/[/\\]/)
    .at(-1)
    ?.replaceAll(/\s+/g, ' ')
    .trim()
  if (last === undefined || /^\.*$/.test(last)) return undefined
  const cut = last.length > MAX_LENGTH ? last.slice(-MAX_LENGTH) : last
  return cut.isWellFormed() ? cut : cut.slice(1)
}

/** RFC 8187: `UTF-8''%E2%82%AC.pdf`. */
function extended(value: string | undefined): string | undefined {
  const [, charset = '', text = ''] = /^([a-z0-9-]+)'[^']*'(.*)$/i.exec(value ?? '') ?? []
  if (charset.toLowerCase() === 'utf-8') return percentDecoded(text)
  if (charset.toLowerCase() !== 'iso-8859-1') return undefined
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** Header bytes are read as Latin-1, and many servers write UTF-8 there, or percent-encode where they should not. */
function asUtf8(text: string): string {
  const bytes = Buffer.from(text, 'latin1')
  const read = bytes.toString('utf8')
  const right = read.includes('\ufffd') ? text : read
  return /%[0-9a-f]{2}/i.test(right) ? (percentDecoded(right) ?? right) : right
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
