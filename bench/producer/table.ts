/** A row of a bench's table. `ok` is absent where there is no target. */
export interface Row {
  what: string
  value: string
  target?: string
  ok?: boolean
}

/** Writes rows as a table for a terminal. */
export function formatTable(rows: readonly Row[]): string {
  const width = (pick: (row: Row) => string) => Math.max(...rows.map(row => pick(row).length))
  const [what, value] = [width(row => row.what), width(row => row.value)]
  return rows
    .map(row => {
      const verdict = row.ok === undefined ? '' : row.ok ? 'pass' : 'FAIL'
      const line = `  ${row.what.padEnd(what)}  ${row.value.padStart(value)}  ${verdict.padEnd(4)}  ${row.target ?? ''}`
      return line.trimEnd()
    })
    .join('\n')
}
