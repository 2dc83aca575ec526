/** The Redis keys of one BullMQ queue. */
export interface Layout {
  queue: string
  /** Goes before a job's id to make its key. */
  prefix: string
  wait: string
  active: string
  prioritized: string
  delayed: string
  events: string
  stalled: string
  limiter: string
  paused: string
  meta: string
  /** Counter that keeps prioritized jobs of one priority in order. */
  priorities: string
  /** Sorted set that consumers block on. */
  marker: string
  completed: string
  failed: string
}

/** See {@link Layout}. BullMQ's default prefix is part of the contract. */
export function layoutOf(queue: string): Layout {
  const prefix = `bull:${queue}:`
  return {
    queue,
    prefix,
    wait: `${prefix}wait`,
    active: `${prefix}active`,
    prioritized: `${prefix}prioritized`,
    delayed: `${prefix}delayed`,
    events: `${prefix}events`,
    stalled: `${prefix}stalled`,
    limiter: `${prefix}limiter`,
    paused: `${prefix}paused`,
    meta: `${prefix}meta`,
    priorities: `${prefix}pc`,
    marker: `${prefix}marker`,
    completed: `${prefix}completed`,
    failed: `${prefix}failed`,
  }
}

/** The keys of BullMQ's moveToActive, in its order. */
export function moveToActiveKeys(layout: Layout): string[] {
  return [
    layout.wait,
    layout.active,
    layout.prioritized,
    layout.events,
    layout.stalled,
    layout.limiter,
    layout.delayed,
    layout.paused,
    layout.meta,
    layout.priorities,
    layout.marker,
  ]
}
