import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Context } from '../context.ts'
import { notify } from '../group-changes.ts'
import type { Group } from '../groups.ts'
import { bytesOf, childOf, node, seconds } from '../nodes.ts'
import type { Account } from '../world.ts'
import type { IqAnswer } from './answer.ts'

/** Changes what a group is called, says of itself or allows; undefined when the element is not known. */
export function changeSetting(context: Context, group: Group, by: Account, change: BinaryNode): IqAnswer {
  const apply = changes[change.tag]
  if (!apply) return undefined
  notify(context, group, by, apply(group, by, change))
  return []
}

/** Each applies a change and gives the element that tells of it. */
const changes: Readonly<Record<string, (group: Group, by: Account, change: BinaryNode) => BinaryNode>> = {
  subject(group, by, change) {
    group.subject = bytesOf(change)?.toString() ?? ''
    group.subjectBy = by
    group.subjectAt = Number(seconds())
    return node('subject', { subject: group.subject, s_t: String(group.subjectAt) })
  },
  description(group, by, change) {
    const body = bytesOf(childOf(change, 'body'))
    const id = change.attrs.id ?? ''
    group.description = body && { id, text: body.toString(), by, at: Number(seconds()) }
    return body ? node('description', { id }, [node('body', {}, body)]) : node('description', { id, delete: 'true' })
  },
  announcement: (group, _by, change) => flag(group, 'announcement', true, change),
  not_announcement: (group, _by, change) => flag(group, 'announcement', false, change),
  locked: (group, _by, change) => flag(group, 'locked', true, change),
  unlocked: (group, _by, change) => flag(group, 'locked', false, change),
  ephemeral(group, _by, change) {
    group.ephemeral = Number(change.attrs.expiration ?? 0)
    return node('ephemeral', { expiration: String(group.ephemeral) })
  },
  not_ephemeral(group, _by, change) {
    group.ephemeral = 0
    return node(change.tag)
  },
  member_add_mode: (_group, _by, change) => change,
  membership_approval_mode: (_group, _by, change) => change,
}

function flag(group: Group, name: 'announcement' | 'locked', value: boolean, change: BinaryNode): BinaryNode {
  group[name] = value
  return node(change.tag)
}
