import { readFile } from 'node:fs/promises'
import { parse } from 'smol-toml'
import * as z from 'zod'
import { expect, it } from 'vitest'

// What flyctl refuses or quietly ignores, as its own check reads the file (internal/appconfig of flyctl).
const flyToml = z.strictObject({
  app: z.string(),
  primary_region: z.string().length(3),
  kill_signal: z.literal('SIGTERM'),
  kill_timeout: z.string().regex(/^\d+s$/),
  env: z.record(z.string(), z.string()),
  // An array, [[checks.health]], is "'checks' section of unknown type".
  checks: z.record(
    z.string(),
    z.strictObject({
      type: z.literal('http'),
      port: z.number(),
      path: z.enum(['/healthz', '/readyz']),
      interval: z.string(),
      timeout: z.string(),
      grace_period: z.string(),
    }),
  ),
  restart: z.array(z.strictObject({ policy: z.enum(['always', 'never', 'on-failure']) })),
  vm: z.array(z.strictObject({ size: z.string(), memory: z.string() })),
})

it('gives Fly.io a file that it takes, with nothing that could stop an idle worker', async () => {
  const file = flyToml.parse(parse(await readFile(new URL('../deploy/fly.toml', import.meta.url), 'utf8')))
  expect(file.checks['health']?.port).toBe(Number(file.env['PORT']))
  // The worker itself takes 9.5 s at most.
  expect(Number.parseInt(file.kill_timeout, 10)).toBeGreaterThan(10)
})
