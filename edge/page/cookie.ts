import { getCookie, setCookie } from 'hono/cookie'
import type { ApiKeys } from '../http/api-keys.ts'
import { equalInConstantTime, toHex } from '../http/digest.ts'
import type { RouteContext } from '../http/context.ts'

/** How long a browser stays signed in, in seconds. */
const LIFETIME_SECONDS = 12 * 60 * 60

/**
 * The cookie of a browser that signed in: when it ends, and an HMAC of that under the API key it signed in with. It
 * holds no key, and it ends with its key: when the key leaves API_KEYS, no signature fits any more.
 */
export interface SignIn {
  /** Signs the browser in, with the digest of the key that it gave. */
  start(context: RouteContext, keyDigest: string): Promise<void>
  end(context: RouteContext): void
  isValid(context: RouteContext): Promise<boolean>
}

/** Makes the cookie's keeper. `now` is Unix ms. */
export function createSignIn({ apiKeys, now }: { apiKeys: ApiKeys; now: () => number }): SignIn {
  const write = (context: RouteContext, value: string, maxAge: number) => {
    const secure = isSecure(context)
    setCookie(context, nameOf(secure), value, { httpOnly: true, sameSite: 'Strict', path: '/', secure, maxAge })
  }
  return {
    async start(context, keyDigest) {
      const end = String(Math.floor(now() / 1000) + LIFETIME_SECONDS)
      write(context, `${end}.${await signatureOf(end, keyDigest)}`, LIFETIME_SECONDS)
    },
    end: context => write(context, '', 0),
    async isValid(context) {
      const [, end, signature] =
        /^(\d{1,12})\.([0-9a-f]{64})$/.exec(getCookie(context, nameOf(isSecure(context))) ?? '') ?? []
      if (end === undefined || signature === undefined || Number(end) * 1000 <= now()) return false
      const expected = await Promise.all(apiKeys.digests.map(digest => signatureOf(end, digest)))
      return expected.filter(candidate => equalInConstantTime(candidate, signature)).length > 0
    },
  }
}

async function signatureOf(end: string, keyDigest: string): Promise<string> {
  const encoder = new TextEncoder()
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', encoder.encode(keyDigest), algorithm, false, ['sign'])
  return toHex(await crypto.subtle.sign('HMAC', key, encoder.encode(`kurir page until ${end}`)))
}

/** On https the name itself makes browsers refuse a cookie that another host or plain http set. */
function nameOf(secure: boolean): string {
  return secure ? '__Host-kurir' : 'kurir'
}

function isSecure(context: RouteContext): boolean {
  return new URL(context.req.url).protocol === 'https:'
}
