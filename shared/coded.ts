import * as z from 'zod'
import type { FieldCode } from './errors.ts'

/** Most faults that are told of one request or job; one may have a hundred thousand. */
export const MAX_FIELD_ERRORS = 100

/** What one field of a request or job lacks: `path` like `jobs[3].data.to`, a stable `code`, a sentence for a person. */
export interface FieldError {
  path: string
  code: FieldCode
  message: string
}

/** A zod check that fails with one of our stable codes. */
export function coded<T>(test: (value: T) => boolean, code: FieldCode, message: string): z.core.$ZodCheck<T> {
  return z.refine<T>(test, { params: { code }, error: message })
}

/** Turns zod's issues into field errors with our codes, the first {@link MAX_FIELD_ERRORS}. `base` goes before each path. */
export function fieldErrors(error: z.core.$ZodError, base = ''): FieldError[] {
  return error.issues.slice(0, MAX_FIELD_ERRORS).map(issue => {
    const code = codeOf(issue)
    return { path: pathText(issue.path, base), code, message: code === 'MISSING_FIELD' ? 'is missing' : wordsOf(issue) }
  })
}

function codeOf(issue: z.core.$ZodIssue): FieldCode {
  if (issue.code === 'custom') return (issue.params?.['code'] as FieldCode | undefined) ?? 'INVALID_FIELD'
  if (issue.code === 'invalid_type' && issue.input === undefined) return 'MISSING_FIELD'
  return 'INVALID_FIELD'
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

/** zod's own words speak of its types, not to the person who wrote the field. */
function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `must be ${KINDS[issue.expected] ?? issue.expected}`
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`
  const isText = 'origin' in issue && issue.origin === 'string'
  if (issue.code === 'too_small') return isText ? 'must not be empty' : `must be at least ${issue.minimum}`
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}${isText ? ' characters' : ''}`
  return issue.message
}

function pathText(path: readonly PropertyKey[], base: string): string {
  let text = base
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : `${text === '' ? '' : '.'}${String(part)}`
  return text
}
