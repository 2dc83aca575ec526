import type * as z from 'zod'
import type { Context } from '../context.ts'

/** One call of the control side. GET takes its input from the query, the others from a JSON body. */
export type ControlRoute = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  run(context: Context, input: unknown): unknown
}

/** Ties a schema to a handler: input that does not fit is answered 400 before the handler runs. */
export function route<S extends z.ZodType>(
  method: ControlRoute['method'],
  path: string,
  schema: S,
  handle: (context: Context, input: z.infer<S>) => unknown,
): ControlRoute {
  return { method, path, run: (context, input) => handle(context, schema.parse(input)) }
}
