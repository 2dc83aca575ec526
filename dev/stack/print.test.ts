import { expect, it } from 'vitest'
import { exampleCurl, formatLine, formatQr, formatSummary } from './print.ts'
import type { Stack } from './stack.ts'

it('puts a structured log line into words', () => {
  const line = JSON.stringify({
    level: 'warn',
    time: 1,
    workerId: 'w',

    msg: 'session closed',
    session: 'demo',
    n: 3,
  })
  expect(formatLine('worker', line)).toBe('worker   | warn session closed session=demo n=3')
})

it('shows any other line as it is, without what would drive the terminal', () => {
  expect(formatLine('edge', '{"broken": \u001b[2J')).toBe('edge     | {"broken": ·[2J')
})

it('offers a curl whose body is the batch', () => {
  const curl = exampleCurl({ edge: 'http://127.0.0.1:1', apiKey: 'k' })
  const body = JSON.parse(/-d '(.*)'$/s.exec(curl)?.[1] ?? '') as { jobs: { name: string }[] }
  expect(body.jobs.map(job => job.name)).toEqual(['START_SESSION', 'SEND_TEXT'])
})

it('gives the secret of the webhooks, also to a receiver of your own', () => {
  const given = {
    edge: 'http://127.0.0.1:1',
    apiKey: 'k',
    redis: { url: 'redis://127.0.0.1:2', kind: 'given' },
    restUrl: 'http://127.0.0.1:3',
    secrets: { webhookSecret: 'whsec_1' },
    simulator: undefined,
    inbox: undefined,
    workers: [],
  } as unknown as Stack
  const summary = formatSummary(given, { seconds: 1, scan: true, live: false })
  expect(summary).toContain('webhooks go to WEBHOOK_URL  (secret: whsec_1)')
})

it('draws a QR', () => {
  const drawn = formatQr({ sessionId: 'demo', text: '2@abc' })
  expect(drawn).toContain('session demo')
  expect(drawn.split('\n').filter(line => /[▀▄█]/.test(line)).length).toBeGreaterThan(10)
})
