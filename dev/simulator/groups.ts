import { randomBytes, randomInt } from 'node:crypto'
import { createSender, type SenderKeySender } from './signal/sender-keys.ts'
import type { Account } from './world.ts'

/** A member's rank; undefined is an ordinary member. */
export type Rank = 'superadmin' | 'admin' | undefined

/** A group. Members are addressed by LID. */
export type Group = {
  readonly jid: string
  readonly creator: Account
  /** Seconds. */
  readonly createdAt: number
  subject: string
  subjectBy: Account
  subjectAt: number
  description: { readonly id: string; readonly text: string; readonly by: Account; readonly at: number } | undefined
  inviteCode: string
  announcement: boolean
  locked: boolean
  ephemeral: number
  readonly members: Map<Account, Rank>
  /** Sender keys of simulated members, and which linked devices have got them. */
  readonly senderKeys: Map<Account, { readonly key: SenderKeySender; readonly given: Set<string> }>
}

export type Groups = {
  readonly byJid: ReadonlyMap<string, Group>
  create(creator: Account, subject: string): Group
  byInvite(code: string): Group | undefined
  remove(group: Group): void
  /** The sender key of a simulated member, if it has written to the group. */
  senderOf(jid: string, member: Account): SenderKeySender | undefined
  clear(): void
}

/** Makes a store of at most `capacity` groups; the oldest is forgotten. */
export function createGroups(capacity: number): Groups {
  const byJid = new Map<string, Group>()
  return {
    byJid,
    create(creator, subject) {
      const now = Math.floor(Date.now() / 1000)
      const group: Group = {
        jid: `120363${randomInt(10 ** 11, 10 ** 12)}@g.us`,
        creator,
        createdAt: now,
        subject,
        subjectBy: creator,
        subjectAt: now,
        description: undefined,
        inviteCode: newInviteCode(),
        announcement: false,
        locked: false,
        ephemeral: 0,
        members: new Map<Account, Rank>([[creator, 'superadmin']]),
        senderKeys: new Map(),
      }
      byJid.set(group.jid, group)
      const oldest = byJid.keys().next().value
      if (byJid.size > capacity && oldest !== undefined) byJid.delete(oldest)
      return group
    },
    byInvite: code => [...byJid.values()].find(({ inviteCode }) => inviteCode === code),
    remove: group => void byJid.delete(group.jid),
    senderOf: (jid, member) => byJid.get(jid)?.senderKeys.get(member)?.key,
    clear: () => byJid.clear(),
  }
}

export function newInviteCode(): string {
  return randomBytes(16).toString('base64url')
}

/** The sender key with which a simulated member writes, made on first use. */
export function memberKey(group: Group, member: Account): { key: SenderKeySender; given: Set<string> } {
  const known = group.senderKeys.get(member)
  if (known) return known
  const made = { key: createSender(), given: new Set<string>() }
  group.senderKeys.set(member, made)
  return made
}
