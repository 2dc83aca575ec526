import { expect, test } from 'vitest'
import { checkJob } from './contract.ts'
import { checkOperation, isOperationName, OPERATION_NAMES } from './operations.ts'

test('an operation is no job of the contract', () => {
  for (const name of OPERATION_NAMES) {
    const check = checkJob(name, { sessionId: 'a', fromSeq: 1, seq: 1 })
    expect(check).toMatchObject({ ok: false, errors: [{ code: 'UNKNOWN_JOB' }] })
  }
  expect(isOperationName('SEND_TEXT')).toBe(false)
  expect(isOperationName('toString')).toBe(false)
})

test('an operation is checked', () => {
  const operation = { name: 'REPLAY_EVENTS', data: { sessionId: 'a', fromSeq: 7 } }
  expect(checkOperation('REPLAY_EVENTS', operation.data)).toEqual({ ok: true, operation })
})

test.each([
  ['REPLAY_EVENTS', { sessionId: 'a' }, 'fromSeq', 'MISSING_FIELD'],
  ['REPLAY_EVENTS', { sessionId: 'a', fromSeq: 0 }, 'fromSeq', 'INVALID_FIELD'],
  ['REPLAY_EVENTS', { sessionId: 'a', fromSeq: 1.5 }, 'fromSeq', 'INVALID_FIELD'],
  ['REPLAY_EVENTS', { sessionId: 'a', fromSeq: 2 ** 53 }, 'fromSeq', 'INVALID_FIELD'],
  ['REPLAY_EVENTS', { sessionId: 'a', fromSeq: 1, from_seq: 2 }, 'from_seq', 'UNKNOWN_FIELD'],
  ['REDRIVE_EVENT', { sessionId: 'a', seq: '3' }, 'seq', 'INVALID_FIELD'],
  ['REDRIVE_EVENT', { sessionId: 'a b', seq: 3 }, 'sessionId', 'INVALID_SESSION_ID'],
] as const)('%s of %j names what is wrong', (name, data, path, code) => {
  expect(checkOperation(name, data)).toMatchObject({ ok: false, errors: [{ path, code }] })
})
