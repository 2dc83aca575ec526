import type { Connection } from './world.ts'
import type { Faults } from './faults.ts'
import type { Groups } from './groups.ts'
import type { Journal } from './journal.ts'
import type { Media } from './media.ts'
import type { NoiseIdentity } from './noise.ts'
import type { Registration } from './registration.ts'
import type { Received } from './received.ts'
import type { Ring } from './ring.ts'
import type { SenderKeyStore } from './sender-key-store.ts'
import type { SentStore } from './sent.ts'
import type { Settings } from './settings.ts'
import type { World } from './world.ts'

/** Everything that handlers share: one record a simulator, no globals. */
export type Context = {
  readonly settings: Settings
  readonly world: World
  readonly journal: Journal
  readonly received: Ring<Received>
  readonly faults: Faults
  readonly noise: NoiseIdentity
  /** Open connections by number. */
  readonly connections: Map<number, Connection>
  /** Connections that wait to be linked, by number. */
  readonly registrations: Map<number, Registration>
  readonly groups: Groups
  readonly media: Media
  readonly senderKeys: SenderKeyStore
  readonly sent: SentStore
  readonly limits: Limits
}

/** Bounds of what is kept in memory. */
export type Limits = {
  readonly log: number
  readonly received: number
  /** Messages of clients and contacts that can be sent again on a retry receipt. */
  readonly sent: number
  readonly pendingPerDevice: number
  readonly accounts: number
  readonly groups: number
  readonly mediaBytes: number
}
