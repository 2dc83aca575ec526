import { hostileFiles, serveFiles } from '../../../dev/testing/hostile-media.ts'
import { judgeSends } from '../check.ts'
import { quantile, verdictFigures, zero, type Outcome } from '../figures.ts'
import { startWorld } from '../world.ts'

/** How often the fault strikes, and on what; the short form is for the suite, the long one for `npm run torture`. */
export interface MediaSize {
  sessions: number
  /** How often each file is sent by the first session. */
  times: number
  /** Texts for each session while the files are sent. */
  texts: number
}

/** Files that stop, or blow up, whoever decodes them are sent between texts. */
export async function sendHostileMedia({ sessions: count, times, texts }: MediaSize): Promise<Outcome> {
  const files = await hostileFiles()
  const server = await serveFiles(files)
  const world = await startWorld({ given: { worker: { ALLOW_PRIVATE_HOSTS: server.host } } })
  try {
    const [hostile, ...others] = await world.link(count + 1)
    if (hostile === undefined) throw new Error('this scenario needs a session')
    const closes = async () => (await world.journal()).filter(({ kind }) => kind === 'close').length
    const before = await closes()
    let ended = 0
    for (const { child } of world.stack.workers) void child.exited.then(() => (ended += 1))
    const pids = world.stack.workers.map(({ workPid }) => workPid)
    const posted = []
    for (let n = 0; n < times; n++) {
      for (const [index, { type }] of files.entries()) {
        const data = { sessionId: hostile.sessionId, to: hostile.contact, type, media: server.url(index) }
        posted.push(await world.api.post({ name: 'SEND_MEDIA', data }))
      }
    }
    for (let n = 0; n < texts; n++) {
      await world.postTexts(others, 1)
      await world.settled(30_000).catch(() => undefined)
    }
    const endings = await Promise.all(posted.map(async job => world.api.waitForEnd(job, 170_000)))
    const verdict = verdictFigures(judgeSends(world.accepted, await world.received(), await world.journal()))
    const acceptedAt = new Map(world.accepted.map(({ text, at }) => [text, at]))
    const waits = (await world.received()).flatMap(({ text, at }) => {
      const postedAt = text === undefined ? undefined : acceptedAt.get(text)
      return postedAt === undefined ? [] : [at - postedAt]
    })
    return {
      fault: 'media files made to stop whoever decodes them',
      done: `${posted.length} files, beside ${world.accepted.length} texts of other sessions`,
      figures: [
        ...verdict.figures,
        zero(
          'files whose job has no end',
          endings.filter(({ state }) => !['completed', 'failed'].includes(state)).length,
        ),
        zero('sockets that closed', (await closes()) - before),
        zero('workers that ended', ended),
        zero('workers that began anew', world.stack.workers.filter(({ workPid }) => !pids.includes(workPid)).length),
        { name: 'text beside them, p99', value: quantile(waits, 0.99), limit: 1000, unit: 'ms' },
      ],
      evidence: verdict.evidence,
    }
  } finally {
    await world.close()
    await server.close()
  }
}
