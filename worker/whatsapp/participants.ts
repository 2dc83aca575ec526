import { jidNormalizedUser, type BinaryNode } from '@whiskeysockets/baileys'
import { UNANSWERED, type JobResult } from '../../shared/receipt.ts'

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
 * WhatsApp's answers in the words of the job: each person once, as asked for and in that order. Somebody who was asked for
 * by number and by LID is named as first asked for.
 */
export function resultsOf(asked: readonly string[], answered: readonly Answered[]): ParticipantResults {
  const answers = new Map<string, Answered>()
  for (const answer of answered) {
    for (const name of [answer.jid, answer.phoneNumber]) {
      if (name !== undefined) answers.set(jidNormalizedUser(name), answer)
    }
  }
  const told = new Set<Answered>()
  return asked.flatMap(jid => {
    const answer = answers.get(jid)
    if (answer === undefined) return [{ jid, status: UNANSWERED }]
    if (told.has(answer)) return []
    told.add(answer)
    return [{ jid, status: answer.status }]
  })
}
