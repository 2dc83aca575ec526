import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { deliverToAll } from './delivery.ts'
import { messageId } from './envelope.ts'
import type { Group } from './groups.ts'
import { node, seconds } from './nodes.ts'
import { lidJid, pnJid, type Account } from './world.ts'

export type MemberAction = 'add' | 'remove' | 'promote' | 'demote'

/** What became of one participant: `error` is WhatsApp's code, absent when it worked. */
export type MemberChange = { readonly jid: string; readonly account?: Account; readonly error?: '403' | '404' | '409' }

/** Applies an action to each participant by itself and tells the linked members what worked. */
export function changeMembers(
  context: Context,
  group: Group,
  by: Account,
  action: MemberAction,
  jids: readonly string[],
): MemberChange[] {
  const before = [...group.members.keys()]
  const changes = jids.map(jid => changeMember(context, group, action, jid))
  const done = changes.flatMap(({ account, error }) => (account && !error ? [account] : []))
  if (done.length > 0) {
    const readers = new Set([...before, ...group.members.keys()])
    const participants = done.map(account => memberNode(account, group.members.get(account)))
    notify(context, group, by, node(action, {}, participants), readers)
  }
  return changes
}

function changeMember(context: Context, group: Group, action: MemberAction, jid: string): MemberChange {
  const account = context.world.resolve(jid)?.account
  if (!account) return { jid, error: '404' }
  const inside = group.members.has(account)
  if (action === 'add') {
    if (inside) return { jid, account, error: '409' }
    if (context.world.restricted.has(account.phone)) return { jid, account, error: '403' }
    group.members.set(account, undefined)
    return { jid, account }
  }
  if (!inside) return { jid, account, error: '404' }
  if (action === 'remove') removeMember(group, account)
  else group.members.set(account, action === 'promote' ? 'admin' : undefined)
  return { jid, account }
}

export function removeMember(group: Group, account: Account): void {
  group.members.delete(account)
  // Who left must not read on: the others get fresh keys with their next message.
  group.senderKeys.clear()
}

/** A participant as notifications and results carry it. */
export function memberNode(account: Account, rank: string | undefined, error?: string): BinaryNode {
  return node('participant', {
    jid: lidJid(account),
    phone_number: pnJid(account),
    ...(rank === undefined ? {} : { type: rank }),
    ...(error === undefined ? {} : { error }),
  })
}

/** Tells the linked devices of the members (or of `readers`) about a change. */
export function notify(
  context: Context,
  group: Group,
  by: Account,
  change: BinaryNode,
  readers: Iterable<Account> = group.members.keys(),
): void {
  const attrs = {
    id: messageId(),
    from: group.jid,
    type: 'w:gp2',
    participant: lidJid(by),
    participant_pn: pnJid(by),
    addressing_mode: 'lid',
    notify: by.name,
    t: seconds(),
  }
  for (const account of readers) deliverToAll(context, account, node('notification', attrs, [change]))
}

/** Makes a group, adds who may be added and tells the linked members. */
export function createGroup(context: Context, creator: Account, subject: string, jids: readonly string[]): Group {
  const group = context.groups.create(creator, subject)
  for (const jid of jids) changeMember(context, group, 'add', jid)
  notify(context, group, creator, node('create', { type: 'new', key: messageId() }, [groupNode(group)]))
  return group
}

/** A group as `query`, `participating` and `create` carry it. */
export function groupNode(group: Group): BinaryNode {
  const content: BinaryNode[] = []
  if (group.description) {
    const { id, text, by, at } = group.description
    const attrs = { id, t: String(at), participant: lidJid(by), participant_pn: pnJid(by) }
    content.push(node('description', attrs, [node('body', {}, Buffer.from(text))]))
  }
  if (group.announcement) content.push(node('announcement'))
  if (group.locked) content.push(node('locked'))
  if (group.ephemeral > 0) content.push(node('ephemeral', { expiration: String(group.ephemeral) }))
  for (const [account, rank] of group.members) content.push(memberNode(account, rank))
  return node(
    'group',
    {
      id: group.jid.split('@')[0] ?? '',
      subject: group.subject,
      s_t: String(group.subjectAt),
      s_o: lidJid(group.subjectBy),
      s_o_pn: pnJid(group.subjectBy),
      creation: String(group.createdAt),
      creator: lidJid(group.creator),
      creator_pn: pnJid(group.creator),
      size: String(group.members.size),
      addressing_mode: 'lid',
    },
    content,
  )
}
