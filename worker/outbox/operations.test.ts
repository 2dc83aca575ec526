import { expect, test, vi } from 'vitest'
import { startRedis } from '../../dev/redis/start.ts'
import { JobFailure } from '../jobs/job.ts'
import { createOperate } from './operations.ts'
import { DAY, deliveryRig, numbers } from '../../dev/testing/deliveries.ts'
import { log } from '../../dev/testing/outbox.ts'

const rig = deliveryRig(startRedis)

test('a replay tells how many events are sent again', async () => {
  const operate = createOperate(rig.start().deliverer)
  await rig.append('a', ...numbers(5, 1))
  await rig.settled()
  expect(await operate({ name: 'REPLAY_EVENTS', data: { sessionId: 'a', fromSeq: 4 } })).toEqual({ replayed: 2 })
  await rig.settled()
  expect(rig.hook.texts('a')).toEqual(['1', '2', '3', '4', '5', '4', '5'])
  expect(await operate({ name: 'REPLAY_EVENTS', data: { sessionId: 'a', fromSeq: 6 } })).toEqual({ replayed: 0 })
})

test('a replay of a session that has no events fails', async () => {
  const operate = createOperate(rig.start().deliverer)
  const failure = new JobFailure('SESSION_NOT_FOUND', 'the session has no events')
  await expect(operate({ name: 'REPLAY_EVENTS', data: { sessionId: 'nobody', fromSeq: 1 } })).rejects.toEqual(failure)
})

test('a redrive tells the new seq, also when a crash has it done again, and fails for what is not parked', async () => {
  rig.hook.react(post => {
    rig.clock.add(10 * DAY)
    return post.text === 'poison' ? 500 : 200
  })
  const operate = createOperate(rig.start().deliverer)
  await rig.append('a', 'poison', '2')
  await rig.settled()
  rig.hook.react(() => 200)
  for (let i = 0; i < 2; i++) {
    expect(await operate({ name: 'REDRIVE_EVENT', data: { sessionId: 'a', seq: 1 } })).toEqual({ seq: 3 })
    await rig.settled()
  }
  expect(rig.hook.texts('a').filter(text => text === 'poison')).toHaveLength(2)
  const failure = new JobFailure('EVENT_NOT_PARKED', 'event 2 is not parked')
  await expect(operate({ name: 'REDRIVE_EVENT', data: { sessionId: 'a', seq: 2 } })).rejects.toEqual(failure)
})

test('the log tells of no replay and no redrive that was not done', async () => {
  const info = vi.spyOn(log, 'info')
  const { deliverer } = rig.start()
  expect(await deliverer.replay('nobody', 1)).toBeUndefined()
  expect(await deliverer.redrive('nobody', 1)).toBeUndefined()
  expect(info).not.toHaveBeenCalled()
  await rig.append('a', '1')
  await rig.settled()
  await deliverer.replay('a', 1)
  expect(info).toHaveBeenCalledExactlyOnceWith({ sessionId: 'a', fromSeq: 1, count: 1 }, 'events replayed')
  info.mockRestore()
})
