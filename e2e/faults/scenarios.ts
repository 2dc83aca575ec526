import type { Outcome } from './figures.ts'
import { disturbSends } from './scenarios/acks.ts'
import { flood } from './scenarios/flood.ts'
import { sendBigJobs } from './scenarios/big-jobs.ts'
import { freezeWorker } from './scenarios/freeze.ts'
import { fillRedis } from './scenarios/full.ts'
import { killWhileReceiving } from './scenarios/inbound.ts'
import { linkMany } from './scenarios/links.ts'
import { sendHostileMedia } from './scenarios/media.ts'
import { poisonQueue } from './scenarios/poison-job.ts'
import { sendPoisonMessages } from './scenarios/poison-message.ts'
import { sendPoison } from './scenarios/poison-send.ts'
import { putOlderCopyBack } from './scenarios/older-copy.ts'
import { resetPosts } from './scenarios/posts.ts'
import { breakReceiver } from './scenarios/receiver.ts'
import { breakRedis } from './scenarios/redis.ts'
import { CONNECTIONS, silenceRedis } from './scenarios/silent.ts'
import { slowDownReceiver } from './scenarios/slow-receiver.ts'
import { pileUp } from './scenarios/stuck.ts'
import { strikeWorkers } from './scenarios/workers.ts'

/** Every fault in two sizes: `short` for the test suite (seconds), `long` for `npm run torture`. */
export const scenarios = {
  kill: {
    short: async () =>
      strikeWorkers('crash', { workers: 2, partitions: 4, sessions: 6, strikes: 1, textsPerStrike: 4, aimMs: 300 }),
    long: async () =>
      strikeWorkers('crash', {
        workers: 3,
        partitions: 8,
        sessions: 30,
        strikes: 200,
        textsPerStrike: 1,
        aimMs: 1000,
        // Ten sessions and more change hands at once, and the workers that take them are seconds old: their code is cold.
        limitMs: 3000,
      }),
  },
  'kill-one': {
    short: async () =>
      strikeWorkers('crash', { workers: 2, partitions: 1, sessions: 1, strikes: 1, textsPerStrike: 1, aimMs: 300 }),
    long: async () =>
      strikeWorkers('crash', { workers: 2, partitions: 1, sessions: 1, strikes: 200, textsPerStrike: 1, aimMs: 1000 }),
  },
  host: {
    short: async () =>
      strikeWorkers('kill', { workers: 2, partitions: 4, sessions: 6, strikes: 1, textsPerStrike: 4, aimMs: 300 }),
    long: async () =>
      strikeWorkers('kill', { workers: 3, partitions: 8, sessions: 30, strikes: 50, textsPerStrike: 1, aimMs: 2000 }),
  },
  term: {
    short: async () =>
      strikeWorkers('stop', { workers: 2, partitions: 4, sessions: 4, strikes: 1, textsPerStrike: 4, aimMs: 300 }),
    long: async () =>
      strikeWorkers('stop', { workers: 3, partitions: 8, sessions: 30, strikes: 40, textsPerStrike: 2, aimMs: 2000 }),
  },
  sessions: {
    short: async () =>
      strikeWorkers('crash', { workers: 1, partitions: 2, sessions: 12, strikes: 1, textsPerStrike: 1, aimMs: 300 }),
    long: async () =>
      strikeWorkers('crash', {
        workers: 2,
        partitions: 8,
        sessions: 400,
        strikes: 10,
        textsPerStrike: 1,
        aimMs: 20_000,
        limitMs: 12_000,
      }),
  },
  links: {
    short: async () => linkMany({ sessions: 20 }),
    long: async () => linkMany({ sessions: 400 }),
  },
  freeze: {
    short: async () => freezeWorker({ sessions: 2, freezeMs: 7000, texts: 5 }),
    long: async () => freezeWorker({ sessions: 20, freezeMs: 30_000, texts: 20 }),
  },
  acks: {
    short: async () => disturbSends({ sessions: 2, texts: 3, storm: 1, codes: [515, 440] }),
    long: async () => disturbSends({ sessions: 10, texts: 20, storm: 3, codes: [515, 440, 503, 408, 428, 500] }),
  },
  receiver: {
    short: async () => breakReceiver({ sessions: 2, texts: 3, lastsMs: 1000 }),
    long: async () => breakReceiver({ sessions: 10, texts: 30, lastsMs: 10_000 }),
  },
  'slow-receiver': {
    short: async () => slowDownReceiver({ sessions: 6, texts: 2, atOnce: 1, takesMs: 100 }),
    long: async () => slowDownReceiver({ sessions: 60, texts: 4, atOnce: 2, takesMs: 700 }),
  },
  flood: {
    short: async () =>
      flood({ sessions: 2, texts: 200, characters: 1000, budget: { session: 40_000, all: 1_000_000 } }),
    long: async () =>
      flood({ sessions: 10, texts: 400, characters: 5000, budget: { session: 200_000, all: 1_200_000 } }),
  },
  inbound: {
    short: async () => killWhileReceiving({ sessions: 2, kills: 2, texts: 10 }),
    long: async () => killWhileReceiving({ sessions: 10, kills: 30, texts: 20 }),
  },
  stuck: {
    short: async () => pileUp({ texts: 300, timed: 0 }),
    long: async () => pileUp({ texts: 10_000, timed: 300 }),
  },
  redis: {
    short: async () => breakRedis({ sessions: 2, texts: 5, kills: 1, freezeMs: 5000 }),
    long: async () => breakRedis({ sessions: 10, texts: 50, kills: 5, freezeMs: 60_000 }),
  },
  'poison-send': {
    short: async () => sendPoison({ sessions: 1, texts: 3, poisons: 1, code: 515, blamed: 3 }),
    long: async () => sendPoison({ sessions: 10, texts: 20, poisons: 1, code: 500, blamed: 0 }),
  },
  silent: {
    short: async () => silenceRedis({ sessions: 2, texts: 3, connections: ['kurir-'] }),
    long: async () => silenceRedis({ sessions: 10, texts: 20, connections: CONNECTIONS }),
  },
  full: {
    short: async () => fillRedis({ sessions: 2, texts: 3, fullMs: 9000, refusedMs: 2000 }),
    long: async () => fillRedis({ sessions: 10, texts: 30, fullMs: 25_000, refusedMs: 30_000 }),
  },
  'older-copy': {
    short: async () => putOlderCopyBack({ sessions: 2, texts: 3, times: 1 }),
    long: async () => putOlderCopyBack({ sessions: 10, texts: 10, times: 5 }),
  },
  media: {
    short: async () => sendHostileMedia({ sessions: 1, times: 1, texts: 3 }),
    long: async () => sendHostileMedia({ sessions: 5, times: 6, texts: 100 }),
  },
  'poison-message': {
    short: async () => sendPoisonMessages({ sessions: 1, times: 1 }),
    long: async () => sendPoisonMessages({ sessions: 5, times: 5 }),
  },
  'poison-job': {
    short: async () => poisonQueue({ every: 40, sessions: 1 }),
    long: async () => poisonQueue({ every: 1, sessions: 5 }),
  },
  'big-jobs': {
    short: async () => sendBigJobs({ jobs: 4, bytes: 5_000_000, heapMb: 256 }),
    long: async () => sendBigJobs({ jobs: 120, bytes: 5_000_000, heapMb: 256 }),
  },
  posts: {
    short: async () => resetPosts({ posts: 300, inFlight: 20 }),
    long: async () => resetPosts({ posts: 10_000, inFlight: 50 }),
  },
} satisfies Record<string, { short(): Promise<Outcome>; long(): Promise<Outcome> }>

/** See {@link scenarios}. */
export type ScenarioName = keyof typeof scenarios
