/** The times of ownership, in ms. */
export interface Timing {
  /** How long a lease lasts without a renewal. */
  ttlMs: number
  /**
   * How long a worker counts as live without a beat: less than a lease lasts, so that a dead worker has no share any more
   * when its partitions become free.
   */
  listedMs: number
  /** Between renewals. */
  beatMs: number
  /** How long before a lease can expire its owner starts to close: what closing its sockets may take. */
  marginMs: number
  /** Between renewals once one has failed. */
  retryMs: number
}

/** The deployment's times. Two workers with different ones would misjudge each other's leases. */
export const TIMING: Timing = { ttlMs: 4500, listedMs: 3000, beatMs: 1500, marginMs: 1500, retryMs: 300 }
