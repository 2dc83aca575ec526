import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Makes sure that one stack at a time uses a folder: two Redis servers on one append-only file would ruin it. A lock
 * whose process is gone counts for nothing. Throws when another stack runs.
 */
export async function lockFolder(dir: string): Promise<{ close(): Promise<void> }> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const file = join(dir, 'lock')
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' })
      return { close: () => rm(file, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const pid = Number(await readFile(file, 'utf8').catch(() => ''))
    if (pid > 0 && isAlive(pid)) throw new Error(`a stack runs here already, as process ${pid}`)
    await rm(file, { force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
