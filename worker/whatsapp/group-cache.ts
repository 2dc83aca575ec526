import type { BinaryNode, GroupMetadata, WASocket } from '@whiskeysockets/baileys'
import { keepNewest } from '../keep-newest.ts'

/** How long a group is believed without hearing of it, should a notification be lost. */
const TTL_MS = 5 * 60_000
/** Groups kept for one socket; a large one takes 200 KB. */
const MAX_GROUPS = 50

/** What is used of a socket. */
export type GroupSource = Pick<WASocket, 'groupMetadata' | 'ws'>

/** The groups of one socket. */
export interface Groups {
  /** Rejects as the request does, and then keeps nothing. */
  find: (jid: string) => Promise<GroupMetadata>
  /** Forgets a group that we are changing, of which WhatsApp does not notify us. */
  changed: (jid: string) => void
}

/**
 * The groups of one socket. Baileys asks WhatsApp for a group before each message to it, and takes this instead. A
 * group is forgotten when WhatsApp notifies of a change.
 */
export function cacheGroups(sock: GroupSource, now: () => number): Groups {
  // The promise itself is kept: a change while the request is on its way must not be covered by its answer.
  const groups = new Map<string, { metadata: Promise<GroupMetadata>; until: number }>()

  sock.ws.on('CB:notification,type:w:gp2', ({ attrs }: BinaryNode) => {
    if (attrs['from'] !== undefined) groups.delete(attrs['from'])
  })
  sock.ws.on('CB:ib,,dirty', () => groups.clear())

  async function find(jid: string): Promise<GroupMetadata> {
    const known = groups.get(jid)
    if (known !== undefined && known.until > now()) return known.metadata
    const entry = { metadata: sock.groupMetadata(jid), until: now() + TTL_MS }
    groups.delete(jid)
    groups.set(jid, entry)
    keepNewest(groups, MAX_GROUPS)
    try {
      return await entry.metadata
    } catch (error) {
      if (groups.get(jid) === entry) groups.delete(jid)
      throw error
    }
  }

  return { find, changed: jid => void groups.delete(jid) }
}
