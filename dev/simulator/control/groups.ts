import * as z from 'zod'
import type { Context } from '../context.ts'
import { ControlError } from '../errors.ts'
import { changeMembers, createGroup } from '../group-changes.ts'
import type { Group } from '../groups.ts'
import { pnJid, type Account } from '../world.ts'
import { phoneSchema } from './accounts.ts'
import { route } from './route.ts'

const groupSchema = z.string().endsWith('@g.us')

/** Groups as simulated numbers make and change them. */
export const groupRoutes = [
  route(
    'POST',
    '/groups',
    z.object({ creator: phoneSchema, subject: z.string().max(100), members: z.array(phoneSchema).max(1024) }),
    (context, { creator, subject, members }) => {
      const group = createGroup(context, accountOf(context, creator), subject, members.map(jidOf))
      return groupView(group)
    },
  ),
  route('GET', '/groups', z.object({}), context => ({ groups: [...context.groups.byJid.values()].map(groupView) })),
  /** `by` defaults to the creator. */
  route(
    'POST',
    '/groups/members',
    z.object({
      group: groupSchema,
      action: z.enum(['add', 'remove', 'promote', 'demote']),
      phones: z.array(phoneSchema).min(1).max(1024),
      by: phoneSchema.optional(),
    }),
    (context, { group: jid, action, phones, by }) => {
      const group = context.groups.byJid.get(jid)
      if (!group) throw new ControlError(404, 'group_unknown', 'no such group')
      const actor = by === undefined ? group.creator : accountOf(context, by)
      const changes = changeMembers(context, group, actor, action, phones.map(jidOf))
      return { results: changes.map(({ error }, at) => ({ phone: phones[at], status: error ?? '200' })) }
    },
  ),
]

function accountOf(context: Context, phone: string): Account {
  const account = context.world.ensure(phone)
  if (!account) throw new ControlError(422, 'phone_unregistered', 'this number cannot have WhatsApp')
  return account
}

function jidOf(phone: string): string {
  return `${phone}@s.whatsapp.net`
}

function groupView(group: Group): Record<string, unknown> {
  const members = [...group.members].map(([account, rank]) => ({ phone: account.phone, jid: pnJid(account), rank }))
  const { jid, subject, inviteCode, announcement, locked } = group
  return { jid, subject, description: group.description?.text, inviteCode, announcement, locked, members }
}
