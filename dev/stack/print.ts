import { renderUnicodeCompact } from 'uqr'
import type { ShownQr } from './qr.ts'
import type { Stack } from './stack.ts'

const HIDDEN_FIELDS = new Set(['level', 'time', 'workerId', 'msg'])

/** A child's line for the terminal: `worker | info session opened session=demo`. */
export function formatLine(source: string, line: string): string {
  return `${source.padEnd(9)}| ${readable(line).replaceAll(/\p{Cc}/gu, '·')}`
}

/** A pino line in words; any other line as it is. */
function readable(line: string): string {
  const record = parse(line)
  if (record === undefined || typeof record['msg'] !== 'string') return line
  const fields = Object.entries(record)
    .filter(([name]) => !HIDDEN_FIELDS.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return [record['level'], record['msg'], ...fields].join(' ')
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}

/** The batch that the summary offers to paste: opens a session, then sends a text from it. */
export function exampleCurl({ edge, apiKey }: Pick<Stack, 'edge' | 'apiKey'>): string {
  const jobs = [
    { name: 'START_SESSION', data: { sessionId: 'demo' } },
    { name: 'SEND_TEXT', data: { sessionId: 'demo', to: '6281234567890', text: 'Halo, ini pesan dari API!' } },
  ]
  return [
    `curl -sS ${edge}/v1/jobs \\`,
    `  -H 'authorization: Bearer ${apiKey}' \\`,
    `  -H 'content-type: application/json' \\`,
    `  -d '${JSON.stringify({ jobs })}'`,
  ].join('\n')
}

/** What a person needs to know once the stack is ready. */
export function formatSummary(
  stack: Stack,
  { seconds, scan, live }: { seconds: number; scan: boolean; live: boolean },
): string {
  const { edge, redis, restUrl, simulator, inbox, workers, secrets } = stack
  const rows: [string, string][] = [
    ['edge', `${edge}  (page: ${edge}/ , API key: ${stack.apiKey})`],
    ['redis', `${redis.url}  (${REDIS_KINDS[redis.kind]})`],
    ['rest', restUrl],
    ...workers.map(({ name, url, pid }): [string, string] => [name, `${url}/metrics  (pid ${pid})`]),
    [
      'simulator',
      simulator === undefined
        ? `none: sessions go to ${live ? 'WhatsApp' : 'WA_WEBSOCKET_URL'}`
        : `${simulator.url}/received`,
    ],
    ['inbox', `${inbox?.url ?? 'none: webhooks go to WEBHOOK_URL'}  (secret: ${secrets.webhookSecret})`],
  ]
  const next =
    simulator === undefined
      ? 'Then scan the QR that appears here with your phone (Settings > Linked devices).'
      : scan
        ? 'The simulated phone scans the QR by itself.'
        : `Scan with: curl -sS ${simulator.url}/scan -d '{"qr":"<text of the QR>"}'`
  const results = [
    ...(simulator === undefined ? [] : [`what arrived:  curl -sS ${simulator.url}/received`]),
    ...(inbox === undefined ? [] : [`webhooks:      curl -sS ${inbox.url}`]),
    `the session:   curl -sS ${edge}/v1/sessions/demo -H 'authorization: Bearer ${stack.apiKey}'`,
  ]
  return [
    '',
    `Kurir is ready (${seconds.toFixed(1)} s)`,
    ...rows.map(([name, text]) => `  ${name.padEnd(10)} ${text}`),
    '',
    'Try it:',
    '',
    exampleCurl(stack),
    '',
    next,
    ...results,
    '',
    'Ctrl-C stops all of it.',
    '',
  ].join('\n')
}

const REDIS_KINDS = {
  given: 'REDIS_URL',
  'redis-server': 'redis-server, kept between starts',
  embedded: 'embedded: no redis-server on PATH; its data ends with it',
} as const

/** A QR for the terminal. */
export function formatQr({ sessionId, text }: ShownQr): string {
  return `\nScan with WhatsApp to link session ${sessionId}:\n\n${renderUnicodeCompact(text, { border: 2 })}\n`
}
