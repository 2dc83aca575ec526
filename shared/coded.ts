import * as z from 'zod'
import type { FieldCode } from './errors.ts'
import { MAX_FIELD_ERRORS } from './well-formed.ts'

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
    // zod's own words for an absent field speak of its types, not to the person who forgot it.
    const message = code === 'MISSING_FIELD' ? 'is missing' : issue.message
    return { path: pathText(issue.path, base), code, message }
  })
}

function codeOf(issue: z.core.$ZodIssue): FieldCode {
  if (issue.code === 'custom') return (issue.params?.['code'] as FieldCode | undefined) ?? 'INVALID_FIELD'
  if (issue.code === 'invalid_type' && issue.input === undefined) return 'MISSING_FIELD'
  return 'INVALID_FIELD'
}

function pathText(path: readonly PropertyKey[], base: string): string {
  let text = base
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : `${text === '' ? '' : '.'}${String(part)}`
  return text
}
