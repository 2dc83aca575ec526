/** A partition that this worker owns now. Every write of an owner runs in a script that compares `token` first. */
export interface Fence {
  partition: number
  epoch: number
  /** The exact value of the lease key while we own it: `<workerId>:<epoch>`. */
  token: string
  /** Aborted as soon as the lease is lost or given up; everything done for the partition stops on it. */
  signal: AbortSignal
  /**
   * Whether the lease is certainly still ours, by the monotonic clock alone. A process that was frozen asks it before
   * it writes to a socket: no timer has told it yet that time has passed.
   */
  valid(): boolean
}
