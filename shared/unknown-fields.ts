import * as z from 'zod'
import type { FieldError } from './coded.ts'
import { isSameName, nearestName } from './nearest.ts'
import { MAX_FIELD_ERRORS } from './coded.ts'

/** Longest part of an unknown name that is repeated in a path: it may be megabytes. */
const MAX_NAME_LENGTH = 64

/** What is known at the place where unknown fields are looked for. */
export interface Known {
  /** What the fields belong to, for the message, such as `SEND_TEXT`. */
  owner: string
  /** The path of the object. */
  path: string
  /** Names of fields that come from WhatsApp by way of a webhook, with more in them than we read: see {@link unknownFields}. */
  asGiven?: ReadonlySet<string>
}

/**
 * The fields of `data` that the schema does not have, and so would be ignored without a word. Objects in it are looked
 * through, too. One that a webhook gave (`asGiven`) may have any other fields, since it is handed back as it came; in it
 * only a name that differs from a known one by its spelling alone is told.
 */
export function unknownFields(schema: z.ZodObject, data: unknown, { owner, path, asGiven }: Known): FieldError[] {
  const errors: FieldError[] = []
  look(schema, data, path, false)
  return errors

  function look(object: z.ZodObject, value: unknown, at: string, given: boolean): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return
    const known = Object.keys(object.shape)
    for (const [name, inner] of Object.entries(value)) {
      if (errors.length >= MAX_FIELD_ERRORS) return
      if (Object.hasOwn(object.shape, name)) {
        const field = bare(object.shape[name])
        if (field !== undefined) look(field, inner, `${at}.${name}`, given || asGiven?.has(name) === true)
      } else if (!given || known.some(other => isSameName(other, name))) {
        errors.push(unknownField(name, { owner: at === path ? owner : at, path: at, known }))
      }
    }
  }
}

/** What is said of an unknown field. `known`: the names that there are. */
export function unknownField(
  name: string,
  { owner, path, known }: { owner: string; path: string; known: readonly string[] },
): FieldError {
  const near = nearestName(name, known)
  const help = near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`
  const at = path === '' ? shortName(name) : `${path}.${shortName(name)}`
  return { path: at, code: 'UNKNOWN_FIELD', message: `is no field of ${owner}: ${help}` }
}

function shortName(name: string): string {
  return name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}...` : name
}

/** The object that an optional field is, undefined for a field of another kind. */
function bare(field: unknown): z.ZodObject | undefined {
  if (field instanceof z.ZodOptional) return bare(field.unwrap())
  return field instanceof z.ZodObject ? field : undefined
}
