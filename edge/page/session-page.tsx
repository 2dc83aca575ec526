import type { SessionView } from '../../shared/session.ts'
import type { JobStatus } from '../jobs/find.ts'
import { Mistakes } from './layout.tsx'
import { Live } from './live.tsx'

/** What a session's page shows. `values` is what was typed into a form that had mistakes. */
export interface SessionProps {
  sessionId: string
  view?: SessionView | undefined
  /** The text that was just sent. */
  job?: JobStatus | undefined
  jobId?: string | undefined
  mistakes?: readonly string[]
  values?: Readonly<Record<string, string>>
}

/** One session: its live part, and a text to try it with. */
export function SessionPage({ sessionId, view, job, jobId, mistakes = [], values = {} }: SessionProps) {
  const query = jobId === undefined ? '' : `?job=${encodeURIComponent(jobId)}`
  const live = { sessionId, ...(view !== undefined && { view }), ...(job !== undefined && { job }) }
  return (
    <>
      <section id="live" data-src={`/sessions/${sessionId}/live${query}`}>
        <Live {...live} />
      </section>
      <section>
        <h2>Send a test text</h2>
        <p>It waits in line until the session is connected.</p>
        <Mistakes of={mistakes} />
        <form method="post" action={`/sessions/${sessionId}/texts`}>
          <label>
            To
            <input name="to" value={values['to'] ?? ''} required placeholder="+62 812 3456 7890" autocomplete="off" />
          </label>
          <label>
            Text
            <textarea name="text" rows={3} required>
              {values['text'] ?? 'Hello from Kurir!'}
            </textarea>
          </label>
          <button>Send</button>
        </form>
      </section>
    </>
  )
}
