import { expect, it } from 'vitest'
import { Scope } from './scope.ts'

function part(name: string, ended: string[]) {
  return { close: async () => void ended.push(name) }
}

it('ends parts in the reverse order, once', async () => {
  const scope = new Scope()
  const ended: string[] = []
  for (const name of ['redis', 'edge', 'worker']) await scope.start(async () => part(name, ended))
  await Promise.all([scope.close(), scope.close()])
  expect(ended).toEqual(['worker', 'edge', 'redis'])
})

it('ends a part that was still starting, and starts none afterwards', async () => {
  const scope = new Scope()
  const ended: string[] = []
  const slow = Promise.withResolvers<void>()
  const starting = scope.start(async () => {
    await slow.promise
    return part('slow', ended)
  })
  const closing = scope.close()
  slow.resolve()
  await Promise.all([starting, closing])
  expect(ended).toEqual(['slow'])
  await expect(scope.start(async () => part('late', ended))).rejects.toThrow('the stack is stopping')
})

it('ends the others when one fails to end', async () => {
  const scope = new Scope()
  const ended: string[] = []
  await scope.start(async () => part('first', ended))
  await scope.start(async () => ({ close: () => Promise.reject(new Error('stuck')) }))
  await scope.close()
  expect(ended).toEqual(['first'])
})
