import { jidNormalizedUser, type BinaryNode } from '@whiskeysockets/baileys'
import type { JobResult } from '../../shared/receipt.ts'

/** What WhatsApp said of each participant. */
export type ParticipantResults = NonNullable<JobResult['participants']>

/** A participant of an answer: by LID in most groups, with the phone number beside it. */
export interface Answered {
  jid: string | undefined
  phoneNumber: string | undefined
  status: string
}

/** The participants of a group stanza's child. `error` is absent when all is well. */
export function answeredBy(node: BinaryNode | undefined): Answered[] {
  const children = Array.isArray(node?.content) ? node.content : []
  return children
    .filter(({ tag }) => tag === 'participant')
    .map(({ attrs }) => ({ jid: attrs['jid'], phoneNumber: attrs['phone_number'], status: attrs['error'] ?? '200' }))
}

/**
 * WhatsApp's answers in the words of the job: each participant as it was asked for, in that order. Somebody of whom
 * WhatsApp said nothing is left out.
 */
export function resultsOf(asked: readonly string[], answered: readonly Answered[]): ParticipantResults {
  const statuses = new Map<string, string>()
  for (const { jid, phoneNumber, status } of answered) {
    for (const name of [jid, phoneNumber]) if (name !== undefined) statuses.set(jidNormalizedUser(name), status)
  }
  return asked.flatMap(jid => {
    const status = statuses.get(jid)
    return status === undefined ? [] : [{ jid, status }]
  })
}
