import { Mistakes } from './layout.tsx'

/** What the home page shows. `values` is what was typed into a form that had mistakes. */
export interface HomeProps {
  started: readonly string[]
  mistakes?: readonly string[]
  values?: Readonly<Record<string, string>>
}

/** Start a session, or go to one that was started. */
export function HomePage({ started, mistakes = [], values = {} }: HomeProps) {
  return (
    <>
      <section>
        <h1>Link a WhatsApp account</h1>
        <p>Pick a name for the session. You get a QR code to scan, or a code to type if you give the phone number.</p>
        <Mistakes of={mistakes} />
        <form method="post" action="/sessions">
          <label>
            Session
            <input
              name="sessionId"
              value={values['sessionId'] ?? ''}
              required
              maxlength={64}
              pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
              placeholder="my-phone"
              autocapitalize="none"
              autocomplete="off"
              spellcheck={false}
            />
          </label>
          <label>
            Phone number
            <small>Only to link by pairing code. With country code.</small>
            <input
              name="phoneNumber"
              value={values['phoneNumber'] ?? ''}
              type="tel"
              placeholder="+62 812 3456 7890"
              autocomplete="off"
            />
          </label>
          <button>Start session</button>
        </form>
      </section>
      {started.length > 0 && (
        <section>
          <h2>Sessions</h2>
          <ul>
            {started.map(sessionId => (
              <li>
                <a href={`/sessions/${sessionId}`}>{sessionId}</a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  )
}
