import { html } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { RouteContext } from '../http/context.ts'

/** The frame of every page. */
function Layout({ title, signedIn, children }: { title: string; signedIn: boolean; children: Child }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/assets/page.css" />
        <script src="/assets/page.js" defer></script>
      </head>
      <body>
        <header>
          <a href="/">Kurir</a>
          {signedIn && (
            <form method="post" action="/sign-out">
              <button class="quiet">Sign out</button>
            </form>
          )}
        </header>
        <main>{children}</main>
      </body>
    </html>
  )
}

/** What a page is. */
export interface Page {
  title: string
  body: Child
  /** Default: true. */
  signedIn?: boolean
  /** Default: 200. */
  status?: ContentfulStatusCode
}

/** Answers with a page. */
export function sendPage(context: RouteContext, { title, body, signedIn = true, status = 200 }: Page) {
  const document = (
    <Layout title={`${title} · Kurir`} signedIn={signedIn}>
      {body}
    </Layout>
  )
  return context.html(html`<!doctype html>${document}`, status)
}

/** What was wrong with a form, one line each. */
export function Mistakes({ of }: { of: readonly string[] }) {
  return of.length === 0 ? null : (
    <div class="notice bad" role="alert">
      {of.map(line => (
        <div>{line}</div>
      ))}
    </div>
  )
}
