import type { BinaryNode } from '@whiskeysockets/baileys'
import {
  changeMembers,
  createGroup,
  groupNode,
  memberNode,
  notify,
  removeMember,
  type MemberAction,
  type MemberChange,
} from '../group-changes.ts'
import { newInviteCode, type Group } from '../groups.ts'
import { childrenOf, node } from '../nodes.ts'
import { iqError, type IqAnswer, type IqRequest } from './answer.ts'
import { changeSetting } from './group-settings.ts'

const NOT_FOUND = iqError(404, 'item-not-found')
const FORBIDDEN = iqError(403, 'forbidden')

/** `w:g2`: groups as such go to `@g.us`, one group to its jid. */
export function answerGroups(request: IqRequest): IqAnswer {
  const { context, iq, child } = request
  if (!child) return undefined
  const to = iq.attrs.to ?? ''
  if (to === '@g.us') return answerAll(request, child)
  const group = context.groups.byJid.get(to)
  if (!group) return NOT_FOUND
  if (!group.members.has(request.device.account)) return FORBIDDEN
  return iq.attrs.type === 'get' ? answerGet(group, child) : answerSet(request, group, child)
}

function answerAll(request: IqRequest, child: BinaryNode): IqAnswer {
  const { context, device, iq } = request
  const { account } = device
  switch (child.tag) {
    case 'create': {
      const jids = childrenOf(child, 'participant').map(({ attrs }) => attrs.jid ?? '')
      return [groupNode(createGroup(context, account, child.attrs.subject ?? '', jids))]
    }
    case 'participating': {
      const own = [...context.groups.byJid.values()].filter(({ members }) => members.has(account))
      return [node('groups', {}, own.map(groupNode))]
    }
    case 'leave':
      return [
        node(
          'leave',
          {},
          childrenOf(child, 'group').map(({ attrs }) => leave(request, attrs.id ?? '')),
        ),
      ]
    case 'invite': {
      const group = context.groups.byInvite(child.attrs.code ?? '')
      if (!group) return NOT_FOUND
      if (iq.attrs.type === 'get') return [groupNode(group)]
      if (!group.members.has(account)) {
        group.members.set(account, undefined)
        notify(context, group, account, node('add', {}, [memberNode(account, undefined)]))
      }
      return [node('group', { jid: group.jid })]
    }
    default:
      return undefined
  }
}

function leave({ context, device }: IqRequest, jid: string): BinaryNode {
  const group = context.groups.byJid.get(jid)
  const { account } = device
  if (!group?.members.has(account)) return node('group', { id: jid, error: '404' })
  const readers = [...group.members.keys()]
  removeMember(group, account)
  notify(context, group, account, node('remove', {}, [memberNode(account, undefined)]), readers)
  return node('group', { id: jid })
}

function answerGet(group: Group, child: BinaryNode): IqAnswer {
  if (child.tag === 'query') return [groupNode(group)]
  if (child.tag === 'invite') return [node('invite', { code: group.inviteCode })]
  if (child.tag === 'membership_approval_requests') return [node('membership_approval_requests')]
  return undefined
}

function answerSet(request: IqRequest, group: Group, child: BinaryNode): IqAnswer {
  const { context, device } = request
  const { account } = device
  const isAdmin = group.members.get(account) !== undefined
  switch (child.tag) {
    case 'add':
    case 'remove':
    case 'promote':
    case 'demote': {
      if (!isAdmin) return FORBIDDEN
      const jids = childrenOf(child, 'participant').map(({ attrs }) => attrs.jid ?? '')
      const changes = changeMembers(context, group, account, child.tag, jids)
      return [
        node(
          child.tag,
          {},
          changes.map(change => changeNode(group, child.tag as MemberAction, change)),
        ),
      ]
    }
    case 'invite': {
      if (!isAdmin) return FORBIDDEN
      group.inviteCode = newInviteCode()
      notify(context, group, account, node('invite', { code: group.inviteCode }))
      return [node('invite', { code: group.inviteCode })]
    }
    case 'subject':
    case 'description':
      if (group.locked && !isAdmin) return FORBIDDEN
      return changeSetting(context, group, account, child)
    default:
      return isAdmin ? changeSetting(context, group, account, child) : FORBIDDEN
  }
}

function changeNode(group: Group, action: MemberAction, { jid, account, error }: MemberChange): BinaryNode {
  if (!account) return node('participant', { jid, error: error ?? '404' })
  const rank = action === 'add' ? undefined : group.members.get(account)
  const made = memberNode(account, rank, error)
  if (error !== '403') return made
  return { ...made, content: [node('add_request', { code: newInviteCode(), expiration: '259200' })] }
}
