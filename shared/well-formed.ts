import { MAX_FIELD_ERRORS, type FieldError } from './coded.ts'

/** Most levels of objects and lists in a job's data; the contract's own have 4, a quoted message may have more. */
export const MAX_DEPTH = 32

/**
 * What no reader of JSON agrees on: texts with half a surrogate pair, and more levels than {@link MAX_DEPTH}. Walks
 * without recursion, since a value of 100,000 levels would end the stack. `base` is the path of the value.
 */
export function findMalformed(value: unknown, base: string): FieldError[] {
  const errors: FieldError[] = []
  const left: Place[] = [{ value, key: base, parent: undefined, depth: 0 }]
  for (let place = left.pop(); place !== undefined && errors.length < MAX_FIELD_ERRORS; place = left.pop()) {
    const { value: here, depth } = place
    if (typeof here === 'string') {
      if (!here.isWellFormed()) errors.push(brokenText(place))
      continue
    }
    if (typeof here !== 'object' || here === null) continue
    if (depth >= MAX_DEPTH) {
      const message = `must have at most ${MAX_DEPTH} levels`
      errors.push({ path: pathOf(place, 2), code: 'TOO_DEEP', message })
      continue
    }
    if (Array.isArray(here)) {
      for (let i = here.length - 1; i >= 0; i--) {
        left.push({ value: here[i], key: i, parent: place, depth: depth + 1 })
      }
      continue
    }
    for (const [key, inner] of Object.entries(here).reverse()) {
      if (!key.isWellFormed()) errors.push(brokenText(place))
      else left.push({ value: inner, key, parent: place, depth: depth + 1 })
    }
  }
  return errors
}

interface Place {
  value: unknown
  key: string | number
  parent: Place | undefined
  depth: number
}

function brokenText(place: Place): FieldError {
  return { path: pathOf(place, MAX_DEPTH), code: 'BROKEN_TEXT', message: 'must not hold half of a surrogate pair' }
}

/** The path of a place, cut after so many steps. */
function pathOf(place: Place, steps: number): string {
  const keys: (string | number)[] = []
  for (let at: Place | undefined = place; at !== undefined; at = at.parent) keys.unshift(at.key)
  const [base = '', ...rest] = keys.slice(0, steps)
  return rest.reduce<string>((text, key) => text + (typeof key === 'number' ? `[${key}]` : `.${key}`), String(base))
}
