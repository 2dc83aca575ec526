import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where redis-server is; undefined when it is not on the path (default: this process's). */
export function findRedisServer(path = process.env['PATH'] ?? ''): string | undefined {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, 'redis-server')
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not here.
    }
  }
  return undefined
}
