import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { createLog } from './log.ts'

function lines() {
  const written: string[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk))
      done()
    },
  })
  return { log: createLog('info', 'w1', stream), text: () => written.join('') }
}

it('writes what a log pipeline needs', () => {
  const { log, text } = lines()
  log.info({ sessionId: 's' }, 'session opened')
  expect(JSON.parse(text())).toMatchObject({ level: 'info', workerId: 'w1', sessionId: 's', msg: 'session opened' })
})

it('keeps secrets and messages of objects that are logged whole to itself', () => {
  const { log, text } = lines()
  log.warn({ job: { data: { text: 'hunter2' } }, text: 'hunter2', deep: { creds: { noiseKey: 'hunter2' } } }, 'line')
  log.child({ token: 'hunter2' }).warn({ headers: { authorization: 'Bearer hunter2' } }, 'line')
  expect(text()).not.toContain('hunter2')
})

it('logs of an error where it came from, and none of its properties', () => {
  const { log, text } = lines()
  const error = Object.assign(new TypeError('it broke'), { request: { body: 'hunter2' }, command: ['SET', 'hunter2'] })
  log.error({ err: error }, 'line')
  expect(text()).toContain('it broke')
  expect(text()).toContain('log.test.ts')
  expect(text()).not.toContain('hunter2')
})
