/** The value of a JSON text that came out of Redis; undefined when there is none, or it is no JSON. Never throws. */
export function readJson(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
