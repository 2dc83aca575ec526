import pino from 'pino'
import { expect, it } from 'vitest'
import { staysAble } from './able.ts'

const log = pino({ level: 'silent' })

/** Watches until it rejects or has looked so often; `able` tells what each look finds. */
async function watch(able: (look: number) => boolean, looks: number): Promise<string> {
  const stop = new AbortController()
  let looked = 0
  const trouble = () => {
    looked += 1
    if (looked === looks) stop.abort()
    return able(looked) ? undefined : 'no answer from redis: core'
  }
  return staysAble({ log, trouble, everyMs: 1, limitMs: 5 }, stop.signal).then(
    () => `alive after ${looked}`,
    (error: unknown) => `${String(error)} after ${looked}`,
  )
}

it('ends a worker that was able at no look for the whole time, with the reason', async () => {
  expect(await watch(() => false, 100)).toMatch(/^Unable: could not work .*\(no answer from redis: core\).* after 5$/)
})

it('leaves one alone that was able now and then', async () => {
  expect(await watch(look => look % 5 === 0, 40)).toBe('alive after 40')
})
