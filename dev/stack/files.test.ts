import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { importSecret } from '../../shared/signature.ts'
import { lockFolder } from './lock.ts'
import { loadSecrets } from './secrets.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kurir-files-'))
})
afterEach(() => rm(dir, { recursive: true }))

it('makes secrets once, for their owner alone, and lets given ones win', async () => {
  const made = await loadSecrets(dir)
  await expect(importSecret(made.webhookSecret)).resolves.toBeDefined()
  expect(Buffer.from(made.credentialsKey, 'base64')).toHaveLength(32)
  expect((await stat(join(dir, 'secrets.json'))).mode & 0o777).toBe(0o600)
  expect(await loadSecrets(dir, { apiKey: 'mine' })).toEqual({ ...made, apiKey: 'mine' })
  expect(await loadSecrets(dir)).toEqual(made)
})

it('says so when its secrets were damaged, instead of replacing them', async () => {
  await writeFile(join(dir, 'secrets.json'), '{"apiKey":')
  await expect(loadSecrets(dir)).rejects.toThrow(/secrets\.json is unreadable/)
})

it('lets one stack at a time use a folder', async () => {
  const lock = await lockFolder(dir)
  await expect(lockFolder(dir)).rejects.toThrow(`as process ${process.pid}`)
  await lock.close()
  await (await lockFolder(dir)).close()
})

it('takes over the lock of a process that is gone', async () => {
  await writeFile(join(dir, 'lock'), '4194304999')
  await lockFolder(dir)
  expect(await readFile(join(dir, 'lock'), 'utf8')).toBe(String(process.pid))
})
