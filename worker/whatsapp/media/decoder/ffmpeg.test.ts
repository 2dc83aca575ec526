import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { wav } from '../../../../dev/testing/sounds.ts'
import { convert, findFfmpeg } from './ffmpeg.ts'
import type { ConvertQuestion } from './protocol.ts'

const folder = mkdtempSync(join(tmpdir(), 'kurir-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

const { signal } = new AbortController()
const LIMITS = { deadlineMs: 10_000, rssBytes: 320 * 1024 * 1024 }
let made = 0

/** A program in the place of ffmpeg: `$out` is where it should write. */
function program(script: string): string {
  const path = join(folder, `ffmpeg-${made++}`)
  writeFileSync(path, `#!/bin/sh\nfor last; do :; done; out="\${last#file:}"\n${script}\n`)
  chmodSync(path, 0o700)
  return path
}

function question(bytes = wav(1), from = 'audio/wav'): ConvertQuestion {
  const path = join(folder, `in-${made++}`)
  writeFileSync(path, bytes)
  return { what: 'convert', conversion: 'voice', from, path, to: join(folder, `out-${made++}`) }
}

/** A program that says who it is and then stays. */
const STAYS = 'echo $$ > "$out"; while :; do sleep 0.05; done'

async function pidIn(file: string): Promise<number> {
  while (!existsSync(file) || (await readFile(file, 'utf8')) === '') await sleep(5)
  return Number(await readFile(file, 'utf8'))
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function isGone(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(5)
}

test('it gets no variable of our environment', async () => {
  process.env['KURIR_TEST_SECRET'] = 'a secret'
  const asked = question()
  await convert(program('/usr/bin/env > "$out"'), asked, LIMITS, signal)
  const env = await readFile(asked.to, 'utf8')
  expect(env).not.toMatch(/SECRET|HOME|USER/)
})

test('it is told which format to read, and reads files alone', async () => {
  const asked = question()
  await convert(program('echo "$@" > "$out"'), asked, LIMITS, signal)
  expect(await readFile(asked.to, 'utf8')).toMatch(/-protocol_whitelist file .*-f wav -i file:/)
})

test('it is killed when it takes too long', async () => {
  const asked = question()
  const converted = convert(program(STAYS), asked, { ...LIMITS, deadlineMs: 300 }, signal)
  await expect(converted).rejects.toMatchObject({ reason: 'stopped' })
  await isGone(await pidIn(asked.to))
})

test('it is killed when it takes too much memory', async () => {
  const asked = question()
  const converted = convert(program(STAYS), asked, { ...LIMITS, rssBytes: 1000 }, signal)
  await expect(converted).rejects.toMatchObject({ reason: 'stopped' })
})

test('it is killed when the session closes', async () => {
  const closing = new AbortController()
  const asked = question()
  const converted = convert(program(STAYS), asked, LIMITS, closing.signal)
  const pid = await pidIn(asked.to)
  closing.abort(new Error('the session closed'))
  await expect(converted).rejects.toThrow('the session closed')
  await isGone(pid)
})

test.each([
  ['it fails', 'exit 1'],
  ['it ends by a signal', 'kill -9 $$'],
])('a file is unreadable when %s', async (_when, script) => {
  await expect(convert(program(script), question(), LIMITS, signal)).rejects.toMatchObject({ reason: 'unreadable' })
})

test('a format that it is not asked for is not given to it', async () => {
  const asked = question(Buffer.from('#EXTM3U\nhttp://169.254.169.254/'), 'application/vnd.apple.mpegurl')
  await expect(convert(program('exit 0'), asked, LIMITS, signal)).rejects.toMatchObject({ reason: 'unreadable' })
})

const ffmpeg = findFfmpeg(process.env['PATH'])
test.skipIf(ffmpeg === undefined)('a playlist under the name of a video names nothing else', async () => {
  const secret = join(folder, 'secret.wav')
  writeFileSync(secret, wav(1))
  const asked = question(Buffer.from(`#EXTM3U\n#EXTINF:1,\n${secret}\n`), 'video/mp4')
  await expect(convert(ffmpeg ?? '', asked, LIMITS, signal)).rejects.toMatchObject({ reason: 'unreadable' })
})

test('it is looked for in absolute folders alone', () => {
  program('exit 0')
  writeFileSync(join(folder, 'ffmpeg'), '')
  expect(findFfmpeg(folder)).toBeUndefined()
  chmodSync(join(folder, 'ffmpeg'), 0o700)
  expect(findFfmpeg(`.::${folder}`)).toBe(join(folder, 'ffmpeg'))
  expect(findFfmpeg(undefined)).toBeUndefined()
})
