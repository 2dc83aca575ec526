import { EventEmitter } from 'node:events'
import type { GroupMetadata, WASocket } from '@whiskeysockets/baileys'
import { expect, test } from 'vitest'
import { cacheGroups, type GroupSource } from './group-cache.ts'

const GROUP = '120363000000000001@g.us'

function setUp() {
  const frames = new EventEmitter()
  const asked: string[] = []
  let now = 0
  let answer = async (jid: string) => ({ id: jid, subject: `${asked.length}` }) as GroupMetadata
  const source: GroupSource = {
    ws: frames as unknown as WASocket['ws'],
    groupMetadata: async jid => {
      asked.push(jid)
      return answer(jid)
    },
  }
  const { find, changed } = cacheGroups(source, () => now)
  return {
    find,
    changed,
    asked,
    notify: (from: string) => frames.emit('CB:notification,type:w:gp2', { tag: 'notification', attrs: { from } }),
    later: (ms: number) => void (now += ms),
    answers: (next: typeof answer) => void (answer = next),
  }
}

test('asks once, until the group changes or time has passed', async () => {
  const { find, asked, notify, later, changed } = setUp()
  await find(GROUP)
  expect((await find(GROUP)).subject).toBe('1')
  notify('another@g.us')
  await find(GROUP)
  expect(asked).toHaveLength(1)
  notify(GROUP)
  expect((await find(GROUP)).subject).toBe('2')
  changed(GROUP)
  await find(GROUP)
  expect(asked).toHaveLength(3)
  later(5 * 60_000)
  await find(GROUP)
  expect(asked).toHaveLength(4)
})

test('does not keep an answer that was on its way when the group changed', async () => {
  const { find, asked, notify } = setUp()
  const first = find(GROUP)
  notify(GROUP)
  await first
  await find(GROUP)
  expect(asked).toHaveLength(2)
})

test('keeps no failure', async () => {
  const { find, asked, answers } = setUp()
  answers(async () => {
    throw new Error('item-not-found')
  })
  await expect(find(GROUP)).rejects.toThrow('item-not-found')
  answers(async jid => ({ id: jid }) as GroupMetadata)
  expect(await find(GROUP)).toEqual({ id: GROUP })
  expect(asked).toHaveLength(2)
})

test('is bounded', async () => {
  const { find, asked } = setUp()
  for (let i = 0; i < 60; i++) await find(`${i}@g.us`)
  await find('59@g.us')
  expect(asked).toHaveLength(60)
  await find('0@g.us')
  expect(asked).toHaveLength(61)
})
