import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMediaFolder } from './folder.ts'

let root: string
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'kurir-test-'))))
afterEach(() => rmSync(root, { recursive: true }))

function leftBy(host: string, pid: number): string {
  const path = join(root, `kurir-media-${host}-${pid}-abc`)
  mkdirSync(path)
  writeFileSync(join(path, 'file'), 'private')
  return path
}

test('removes what dead workers of this host have left, and nothing else', async () => {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  const dead = leftBy(hostname(), child.pid ?? 0)
  const before = leftBy(hostname(), process.pid)
  const alive = leftBy(hostname(), process.ppid)
  const elsewhere = leftBy('another-host', child.pid ?? 0)
  const folder = createMediaFolder(root)
  expect([dead, before, alive, elsewhere, folder.path].map(path => existsSync(path))).toEqual([
    false,
    false,
    true,
    true,
    true,
  ])
})

test('gives each file a folder of its own', async () => {
  const folder = createMediaFolder(root)
  {
    await using one = await folder.make()
    await using other = await folder.make()
    expect(one.path).not.toBe(other.path)
    writeFileSync(join(one.path, 'file'), 'x')
    expect(readdirSync(other.path)).toEqual([])
  }
  expect(readdirSync(folder.path)).toEqual([])
  folder.close()
  expect(readdirSync(root)).toEqual([])
})
