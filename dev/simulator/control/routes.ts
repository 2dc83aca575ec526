import type { ControlRoute } from './route.ts'
import { accountRoutes } from './accounts.ts'
import { askRoutes } from './asks.ts'
import { faultRoutes } from './faults.ts'
import { groupRoutes } from './groups.ts'
import { messageRoutes } from './messages.ts'
import { recordRoutes } from './records.ts'
import { stanzaRoutes } from './stanzas.ts'

/** All calls of the control side. */
export const controlRoutes: readonly ControlRoute[] = [
  ...accountRoutes,
  ...messageRoutes,
  ...askRoutes,
  ...stanzaRoutes,
  ...groupRoutes,
  ...faultRoutes,
  ...recordRoutes,
]
