/** Lets one piece of work run at a time, fair between those who want some done. */
export interface Turns {
  /** Runs the work when it is its owner's turn. `late`: it had to be stopped, and its owner's next waits behind the others'. */
  take<T extends { late: boolean }>(owner: string, work: () => Promise<T>): Promise<T>
}

/** Of how many owners it is remembered how often their work was late. */
const REMEMBERED = 1000

/**
 * Takes the owners in turn, those whose work was never late first: a customer whose files all have to be stopped must not
 * make each file of the others wait as long.
 */
export function createTurns(): Turns {
  const waiting: { owner: string; start: () => void }[] = []
  const late = new Map<string, number>()
  /** When each owner had its last turn. */
  const served = new Map<string, number>()
  let turn = 0
  let busy = false

  function next(): void {
    if (busy) return
    const best = waiting.reduce<number>((chosen, { owner }, i) => {
      const other = waiting[chosen]?.owner ?? owner
      return before(owner, other) ? i : chosen
    }, 0)
    const [chosen] = waiting.splice(best, 1)
    if (chosen === undefined) return
    busy = true
    chosen.start()
  }

  function before(one: string, other: string): boolean {
    const strikes = (late.get(one) ?? 0) - (late.get(other) ?? 0)
    return strikes === 0 ? (served.get(one) ?? 0) < (served.get(other) ?? 0) : strikes < 0
  }

  return {
    async take(owner, work) {
      await new Promise<void>(start => {
        waiting.push({ owner, start })
        next()
      })
      try {
        const outcome = await work()
        if (outcome.late) late.set(owner, (late.get(owner) ?? 0) + 1)
        return outcome
      } finally {
        served.set(owner, ++turn)
        if (served.size > REMEMBERED) {
          served.clear()
          late.clear()
        }
        busy = false
        next()
      }
    },
  }
}
