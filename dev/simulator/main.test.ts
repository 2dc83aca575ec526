import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'undici'
import { expect, it } from 'vitest'
import { createSimulatorClient } from './client.ts'

it('runs as a process, cuts a client that talks nonsense, and ends on SIGTERM', async () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('main.ts', import.meta.url))])
  const ended = once(child, 'exit')
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const ready = JSON.parse(line.toString()) as Record<'waUrl' | 'controlUrl' | 'rootKeyHex' | 'caPem', string>
  expect(ready.rootKeyHex).toMatch(/^[0-9a-f]{64}$/)
  expect(ready.caPem).toContain('BEGIN CERTIFICATE')

  const socket = new WebSocket(ready.waUrl)
  const closed = new Promise(resolve => socket.addEventListener('close', resolve))
  socket.addEventListener('open', () => socket.send(Buffer.from('WA\u0006\u0003\u0000\u0000\u0004junk')))
  await closed
  const [problem] = await createSimulatorClient(ready.controlUrl).waitForLog(1, { kind: 'problem' })
  expect(problem?.connection).toBe(1)

  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
})
