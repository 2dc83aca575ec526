import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

const NAME = 'kurir-media'
/** The folders of this process. */
const mine = new Set<string>()

/** A folder of this process for media on their way, and for the temporary files of Baileys. */
export interface MediaFolder {
  path: string
  /** A new folder in it for one file alone: nothing else stands beside what outsiders made. */
  make(): Promise<{ path: string } & AsyncDisposable>
  /** Removes all of it. */
  close(): void
}

/**
 * Makes the folder, and removes those that workers of this host have left that are gone: after a kill -9 nobody else
 * would. Its name holds the process id, which tells whether its worker is gone.
 */
export function createMediaFolder(root = tmpdir()): MediaFolder {
  const prefix = `${NAME}-${hostname()}-`
  for (const name of readdirSync(root)) {
    if (!name.startsWith(prefix)) continue
    if (mine.has(join(root, name))) continue
    const pid = Number(name.slice(prefix.length).split('-')[0])
    if (isGone(pid)) rmSync(join(root, name), { recursive: true, force: true })
  }
  const path = mkdtempSync(join(root, `${prefix}${process.pid}-`))
  mine.add(path)
  return {
    path,
    async make() {
      const folder = await mkdtemp(join(path, `${randomUUID()}-`))
      return { path: folder, [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }) }
    },
    close: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** Our own id is a dead worker's as well: in a container that started again all workers have the same. */
function isGone(pid: number): boolean {
  if (pid === process.pid) return true
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
