/** A job's place among those of its session that run at once: they prepare side by side and write in order. */
export interface Turn {
  /** Resolves when every job before it has written or ended. Rejects with `retry: 'wait'` when one must run again. */
  come(): Promise<void>
  /**
   * From here on WhatsApp is asked something for this job: should it close the connection before the job has ended, the
   * job may be why.
   */
  asked(): void
  /** The job's message is on its way to WhatsApp: the turn passes on, while this job waits for its ack. */
  written(): void
}

/** The turn of a job that runs alone. */
export const ALONE: Turn = { come: async () => {}, asked() {}, written() {} }
