import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Context } from '../context.ts'
import { childOf, childrenOf, node, textOf } from '../nodes.ts'
import { lidJid, pnJid, type Account } from '../world.ts'
import type { IqAnswer, IqRequest } from './answer.ts'

/** Which numbers exist, their LIDs and their devices. */
export function answerUsync({ context, child }: IqRequest): IqAnswer {
  const query = childOf(child, 'query')
  if (child?.tag !== 'usync' || !query) return undefined
  const asked = new Set(childrenOf(query).map(({ tag }) => tag))
  const users = childrenOf(childOf(child, 'list'), 'user').map(user => answerUser(context, user, asked))
  return [node('usync', {}, [node('result', {}), node('list', {}, users)])]
}

function answerUser(context: Context, user: BinaryNode, asked: ReadonlySet<string>): BinaryNode {
  const phone = textOf(childOf(user, 'contact'))?.replace('+', '')
  const jid = user.attrs.jid ?? `${phone ?? ''}@s.whatsapp.net`
  const account = context.world.resolve(jid)?.account
  const content: BinaryNode[] = []
  if (asked.has('devices')) content.push(node('devices', {}, [node('device-list', {}, devicesOf(account))]))
  // A LID that is asked by LID has no other LID: Baileys would store the pair as a mapping of its own.
  const hasLid = account !== undefined && !context.world.withoutLid.has(account.phone)
  if (asked.has('lid') && hasLid && !jid.endsWith('@lid')) content.push(node('lid', { val: lidJid(account) }))
  if (asked.has('contact')) content.push(node('contact', { type: account ? 'in' : 'out' }))
  if (asked.has('status')) content.push(node('status', { t: '0' }, Buffer.from(account ? 'simulated' : '')))
  if (asked.has('disappearing_mode')) content.push(node('disappearing_mode', { duration: '0', t: '0' }))
  return node('user', { jid: account && !jid.endsWith('@lid') ? pnJid(account) : jid }, content)
}

function devicesOf(account: Account | undefined): BinaryNode[] {
  if (!account) return []
  const linked = [...account.devices.keys()].map(number =>
    node('device', { id: `${number}`, 'key-index': `${number}` }),
  )
  return [node('device', { id: '0' }), ...linked]
}
