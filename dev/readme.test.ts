import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { readSettings } from '../edge/settings.ts'
import { checkJob, JOB_NAMES } from '../shared/contract.ts'
import { webhookEvent } from '../shared/events.ts'
import { importSecret, sign } from '../shared/signature.ts'
import { SETTINGS } from '../worker/settings.ts'
import { accepts, freePort } from './stack/ports.ts'
import { until } from './stack/until.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, code]) => code ?? '')
}

it('shows every job, each as the contract takes it', () => {
  const jobs = [...readme.matchAll(/^post '([^']*)'/gm)].map(
    ([, json]) => JSON.parse(json ?? '') as Record<string, unknown>,
  )
  for (const { name, data } of jobs) expect(checkJob(name, data)).toMatchObject({ ok: true })
  expect(new Set(jobs.map(({ name }) => name))).toEqual(new Set(JOB_NAMES))
})

it('shows events as they are', () => {
  const events = blocks('json').map(json => webhookEvent.parse(JSON.parse(json)))
  expect(events.map(({ event }) => event)).toEqual(['messages.upsert', 'connection.update'])
})

it('names every setting, and none that is not there', () => {
  const section = readme.split(/^## /m).find(text => text.startsWith('Settings')) ?? ''
  const [edge, worker] = section.split(/^\| worker/m).map(table => {
    const columns = [...table.matchAll(/^\|([^|]*)/gm)].map(([, column]) => column)
    return columns.flatMap(column => column?.match(/[A-Z][A-Z_]+/g) ?? [])
  })
  expect(new Set(worker)).toEqual(new Set(SETTINGS))
  const needed = edge?.filter(name => name !== 'PARTITIONS')
  expect(() => readSettings({})).toThrow(`missing or bad setting: ${needed?.join(', ')}`)
})

it('shows a webhook receiver that works', async () => {
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const port = await freePort()
  const [code = ''] = blocks('ts')
  const env = { PORT: String(port), WEBHOOK_SECRET: secret }
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', code], {
    cwd: ROOT,
    env,
    stdio: 'ignore',
  })
  try {
    await until('the receiver', () => accepts(port))
    const [body = ''] = blocks('json')
    const signed = await sign([await importSecret(secret)], 'msg_1', Math.floor(Date.now() / 1000), body)
    const post = (text: string) => fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers: signed, body: text })
    expect((await post(body)).status).toBe(204)
    expect((await post(body.replace('Halo', 'Hola'))).status).toBe(401)
  } finally {
    child.kill('SIGKILL')
  }
})
