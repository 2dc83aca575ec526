import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { startChild } from '../dev/stack/child.ts'
import { until } from '../dev/stack/until.ts'
import { isOfBaileys } from './rejections.ts'

const boom = createRequire(import.meta.resolve('@whiskeysockets/baileys')).resolve('@hapi/boom')

/** Leaves rejections unhandled as soon as the worker listens: one of Baileys, then one of a defect. */
const REJECTIONS = `
import { createRequire } from 'node:module'
const { Boom } = createRequire(${JSON.stringify(import.meta.url)})(${JSON.stringify(boom)})
process.on('newListener', name => {
  if (name !== 'unhandledRejection') return
  setTimeout(() => {
    Promise.reject(new Boom('of hunter2', { statusCode: 408, data: { jid: 'hunter2' } }))
    // Long enough for the first to be written down: the second ends the process.
    setTimeout(() => Promise.reject(new TypeError('a defect')), 500)
  })
})`

const env = {
  // Nobody is there: the worker waits, which is all it has to do.
  REDIS_URL: 'redis://127.0.0.1:1',
  WEBHOOK_URL: 'http://127.0.0.1:1/',
  WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
  CREDENTIALS_KEY: Buffer.alloc(32, 2).toString('base64'),
}

it('of Baileys leave the worker running, and tell nothing of their data; a defect ends it', async () => {
  const preload = `data:text/javascript;base64,${Buffer.from(REJECTIONS).toString('base64')}`
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const child = await startChild({ name: 'worker', command: process.execPath, args: ['--import', preload, main], env })
  await until('the worker to end', () => child.lines().some(line => line.includes('worker ends')))
  const told = child.lines().flatMap(line => (line.startsWith('{') ? [JSON.parse(line) as { msg: string }] : []))
  const [warning] = told.filter(({ msg }) => msg === 'baileys left a failure unhandled')
  expect(warning).toMatchObject({ level: 'warn', statusCode: 408 })
  expect(JSON.stringify(warning)).not.toContain('hunter2')
  // Not always the last line: Redis may be missed once more while the process ends.
  const [fatal] = told.filter(({ msg }) => msg === 'worker ends')
  expect(fatal).toMatchObject({ level: 'fatal', err: { message: 'a defect' } })
  expect(await child.exited).toEqual({ code: 1, signal: null })
})

it.each([
  ['nothing', undefined],
  ['an object that is no error', { isBoom: true, output: { statusCode: 1 } }],
  ['a usual error', new Error('x')],
  ['an error that only says that it is one', Object.assign(new Error('x'), { isBoom: true })],
])('%s is none of Baileys', (_what, reason) => {
  expect(isOfBaileys(reason)).toBe(false)
})

it.each([
  ['Baileys', 'at async handleCall (/app/node_modules/@whiskeysockets/baileys/lib/Socket/messages-recv.js:1:1)', true],
  ['what Baileys decodes with', 'at skip (/app/node_modules/protobufjs/src/reader.js:1:1)', true],
  ['our own code that Baileys called', 'at append (/app/worker/outbox/append.ts:1:1)', false],
])('an error that was thrown in %s', (_what, frame, expected) => {
  const error = new TypeError('x')
  error.stack = `TypeError: x\n    at Buffer.from (node:buffer:1:1)\n    ${frame}\n    at /app/node_modules/@whiskeysockets/baileys/lib/index.js:1:1`
  expect(isOfBaileys(error)).toBe(expected)
})
