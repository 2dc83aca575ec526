import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { describeExit, startChild } from './child.ts'
import { until } from './until.ts'

/** A program that starts another one, says its pid, and lives on. */
const FAMILY = `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
console.log(child.pid)
setInterval(() => {}, 1000)`

/** Whether a process runs; one that has ended but was not collected by its parent does not. */
async function runs(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return stat !== undefined && !/\) [ZX] /.test(stat)
}

function node(script: string): Parameters<typeof startChild>[0] {
  return { name: 'family', command: process.execPath, args: ['-e', script], env: {} }
}

it('ends a child with everything that the child started', async () => {
  const child = await startChild(node(FAMILY))
  const grandchild = Number(await until('the pid', () => child.lines()[0]))
  expect(await runs(grandchild)).toBe(true)
  const exit = await child.stop()
  expect(describeExit('family', exit)).toBe('family was ended by SIGTERM')
  await until('the grandchild to end', async () => !(await runs(grandchild)))
})

it('kills a child that does not end when it is asked to', async () => {
  const child = await startChild(
    node(`process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1e3)`),
  )
  await until('the child to be deaf', () => child.lines().length > 0)
  expect(await child.stop(50)).toEqual({ code: null, signal: 'SIGKILL' })
})

it('tells of a child that ends by itself, with its last lines', async () => {
  const child = await startChild(node(`console.error('out of luck'); process.exit(3)`))
  expect(describeExit('family', await child.exited)).toBe('family ended with code 3')
  await until('its line', () => child.lines().includes('out of luck'))
})

it('rejects a command that does not exist', async () => {
  await expect(startChild({ name: 'ghost', command: '/no/such', args: [], env: {} })).rejects.toThrow(/start ghost/)
})

it('leaves no child when its own process is killed', async () => {
  const module = fileURLToPath(new URL('child.ts', import.meta.url))
  const script = `import { startChild } from ${JSON.stringify(module)}
    const child = await startChild(${JSON.stringify(node('setInterval(() => {}, 1000)'))})
    console.log(child.pid)
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await parent.stdout.take(1).toArray()) as [Buffer]
  const pid = Number(line)
  expect(await runs(pid)).toBe(true)
  parent.kill('SIGKILL')
  await until('the orphan to be ended', async () => !(await runs(pid)))
})
