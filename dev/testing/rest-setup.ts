import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import type { TestServers } from './rest-provided.ts'

/** Starts what the tests inside workerd need outside of it. vitest runs it once, and what it returns at the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const child = fork(fileURLToPath(new URL('rest-servers.ts', import.meta.url)), { execArgv: ['--no-warnings'] })
  const exited = once(child, 'exit')
  const first = await Promise.race([once(child, 'message'), exited.then(() => undefined)])
  if (first === undefined) throw new Error('the servers of the tests did not start')
  project.provide('servers', (first as [TestServers])[0])
  return async () => {
    child.disconnect()
    await exited
  }
}
