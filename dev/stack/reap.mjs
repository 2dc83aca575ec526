// The reaper: ends the process groups it was told of when whoever told it is gone, kill -9 included.
// Reads `+<pid>` and `-<pid>` lines; the end of its input means that the writer has died or is done.
import process from 'node:process'
import { createInterface } from 'node:readline'

const GRACE_MS = 3000
const groups = new Set()

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1))
  if (!Number.isSafeInteger(pid) || pid < 2) continue
  if (line.startsWith('+')) groups.add(pid)
  else groups.delete(pid)
}

function killAll(signal) {
  for (const pid of groups) {
    try {
      process.kill(-pid, signal)
    } catch {
      groups.delete(pid)
    }
  }
}

killAll('SIGTERM')
const deadline = performance.now() + GRACE_MS
while (groups.size > 0 && performance.now() < deadline) {
  await new Promise(resolve => setTimeout(resolve, 50))
  killAll(0)
}
killAll('SIGKILL')
