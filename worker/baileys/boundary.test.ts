import { globSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const WORKER = new URL('..', import.meta.url)
/** Members of what Baileys gave us, or of a class or module: `sock.x = `, `ws.send = `, `Class.prototype.x = `. */
const ASSIGNED =
  /\b(sock|socket|ws|ev|repository|manager|client|console|crypto|prototype|[A-Z]\w*\.prototype)\??\.\w+(\.\w+)*\s*=(?![=>])/
/** The same, all at once. */
const REPLACED =
  /\bObject\.(assign|defineProperty|defineProperties)\(\s*(sock|socket|ws|ev|repository|manager|client|console|crypto|globalThis|[A-Z]\w*)\b/

const files = globSync('**/*.ts', { cwd: WORKER })
  .filter(file => !file.startsWith('baileys/') && !/\.test\.ts$|testing\.ts$|rig\.ts$/.test(file))
  .map(file => [file, readFileSync(new URL(file, WORKER), 'utf8')] as const)

describe('members of Baileys', () => {
  it('are replaced in no other folder', () => {
    const found = files.flatMap(([file, text]) =>
      text
        .split('\n')
        .flatMap((line, i) => (ASSIGNED.test(line) || REPLACED.test(line) ? [`${file}:${i + 1} ${line.trim()}`] : [])),
    )
    expect(found).toEqual([])
  })

  it('are seen when they are: the patterns fit what this folder does', () => {
    const here = globSync('{process,socket,signal}/*.ts', { cwd: new URL('.', import.meta.url) })
      .filter(file => !file.endsWith('.test.ts'))
      .filter(file => {
        const text = readFileSync(new URL(file, import.meta.url), 'utf8')
        return ASSIGNED.test(text) || REPLACED.test(text)
      })
    expect(here).toEqual(
      expect.arrayContaining(['socket/writes.ts', 'socket/close-in-time.ts', 'process/failed-attempts.ts']),
    )
  })
})
