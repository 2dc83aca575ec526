/** Admits a bounded number at a time. */
export interface Semaphore {
  /** Resolves when there is room for one more. */
  free(): Promise<void>
  enter(): void
  leave: () => void
  /** There is room for everybody from now on. */
  close(): void
}

/** A semaphore that admits `most` at a time. */
export function createSemaphore(most: number): Semaphore {
  let inside = 0
  let closed = false
  let wake = Promise.withResolvers<void>()

  const isFree = () => closed || inside < most

  function changed(): void {
    if (!isFree()) return
    wake.resolve()
    wake = Promise.withResolvers()
  }

  return {
    async free() {
      while (!isFree()) await wake.promise
    },
    enter() {
      inside += 1
    },
    leave() {
      inside -= 1
      changed()
    },
    close() {
      closed = true
      changed()
    },
  }
}
