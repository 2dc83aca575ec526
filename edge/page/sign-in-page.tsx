import { Mistakes } from './layout.tsx'

/** The form for browsers that are not signed in. */
export function SignInPage({ mistakes = [] }: { mistakes?: readonly string[] }) {
  return (
    <section>
      <h1>Sign in</h1>
      <p>Use one of the API keys of this gateway.</p>
      <Mistakes of={mistakes} />
      <form method="post" action="/sign-in">
        <label>
          API key
          <input type="password" name="key" required autocomplete="current-password" autofocus />
        </label>
        <button>Sign in</button>
      </form>
    </section>
  )
}
