/** The fields and values that HGETALL gives in one list, as a record. */
export function toRecord(list: readonly (string | null)[]): Record<string, string> {
  const record: Record<string, string> = {}
  for (let i = 0; i + 1 < list.length; i += 2) record[list[i] ?? ''] = list[i + 1] ?? ''
  return record
}
