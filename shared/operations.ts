import * as z from 'zod'
import { fieldErrors, type FieldError } from './coded.ts'
import { sessionId } from './jid.ts'
import { unknownFields } from './unknown-fields.ts'

const seq = z.number().int().positive()

/**
 * The data of each operation, by its name: what a person has the owner of a session do with the session's events. They
 * travel as jobs through the session's queue, so that they are stored, reach the owner and have a status; but they are
 * none of the contract's jobs: the edge writes them itself, and `POST /v1/jobs` does not take them.
 */
export const operationSchemas = {
  /** Sends the session's events from `fromSeq` on again, under their old ids, as far as they are kept. */
  REPLAY_EVENTS: z.object({ sessionId, fromSeq: seq }),
  /** Sends the parked event `seq` again, after what waits already, as a new seq with its old id. */
  REDRIVE_EVENT: z.object({ sessionId, seq }),
} as const

/** An operation's name. */
export type OperationName = keyof typeof operationSchemas

/** All operation names. */
export const OPERATION_NAMES = Object.keys(operationSchemas) as OperationName[]

/** A checked operation: its name and data belong together. */
export type Operation = {
  [N in OperationName]: { name: N; data: z.infer<(typeof operationSchemas)[N]> }
}[OperationName]

/** The outcome of a check: the operation, or what is wrong with it. */
export type OperationCheck = { ok: true; operation: Operation } | { ok: false; errors: FieldError[] }

/** Whether this is the name of an operation. */
export function isOperationName(name: unknown): name is OperationName {
  return typeof name === 'string' && Object.hasOwn(operationSchemas, name)
}

/** Checks an operation's data. */
export function checkOperation(name: OperationName, data: unknown): OperationCheck {
  const result = operationSchemas[name].safeParse(data, { reportInput: true })
  const unknown = unknownFields(operationSchemas[name], data, { owner: name, path: '' })
  const errors = [...(result.success ? [] : fieldErrors(result.error)), ...unknown]
  if (!result.success || unknown.length > 0) return { ok: false, errors }
  return { ok: true, operation: { name, data: result.data } as Operation }
}
