import { getBinaryNodeChild, jidEncode, type GroupMetadata, type WASocket } from '@whiskeysockets/baileys'
import type { JobResult } from '../../shared/receipt.ts'
import type { Handler } from './handler.ts'
import type { SendContext } from '../whatsapp/send.ts'
import { JobFailure } from '../jobs/job.ts'
import { serverCodeOf, socketClosed, toFailure } from '../whatsapp/failures.ts'
import { messageIdOf } from '../whatsapp/message-id.ts'
import { answeredBy, resultsOf } from '../whatsapp/participants.ts'

/** How far WhatsApp's clock may be behind ours, in seconds. */
const CLOCK_SKEW_SECONDS = 60

/**
 * GROUP_CREATE. WhatsApp makes a group at each request, so the intent is kept before the first one, and a run that
 * finds it looks for a group that we made with this subject since the job was added, and that no other job was given. A
 * request that WhatsApp refused made no group, so its intent goes. What remains: of two jobs of one session with the same
 * subject that both crashed between request and answer, one may take the other's group for its own.
 */
export const groupCreate: Handler<'GROUP_CREATE'> = async (context, job, signal) => {
  const { sock, sent, fence, sessionId } = context
  const { subject, participants } = job.data
  context.turn.asked()
  const intent = messageIdOf(sock.authState.creds, { sessionId, id: job.id, createdAt: job.createdAt })
  try {
    if ((await sent.get(fence, sessionId, intent)) !== undefined) {
      const isFree = async (groupJid: string) => {
        const given = await sent.get(fence, sessionId, givenId(groupJid))
        return given === undefined || given.message.conversation === intent
      }
      const first = await findCreated(sock, subject, job.createdAt, isFree)
      if (first !== undefined) return await give(context, intent, first.id, joined(participants, first))
    }
    await sent.keep(fence, sessionId, intent, { groupInviteMessage: { groupName: subject } })
    if (signal.aborted || !fence.valid()) throw socketClosed()
    const made = await create(sock, intent, subject, participants)
    return await give(context, intent, made.groupJid, made.participants)
  } catch (error) {
    if (!signal.aborted && serverCodeOf(error) !== undefined) await sent.forget(fence, sessionId, intent)
    throw signal.aborted ? socketClosed() : toFailure(error)
  }
}

/** Keeps which job was given the group, so that no other takes it for its own. */
async function give(
  { sent, fence, sessionId }: SendContext,
  intent: string,
  groupJid: string,
  participants: ReturnType<typeof resultsOf>,
): Promise<JobResult> {
  await sent.keep(fence, sessionId, givenId(groupJid), { conversation: intent })
  return { groupJid, participants }
}

/** Beside the intents, which are message ids: no job's message can have it. */
function givenId(groupJid: string): string {
  return `given ${groupJid}`
}

/** Baileys' own `groupCreate` drops the errors of participants that could not be added. */
async function create(sock: WASocket, key: string, subject: string, participants: string[]) {
  const answer = await sock.query({
    tag: 'iq',
    attrs: { type: 'set', xmlns: 'w:g2', to: '@g.us' },
    content: [
      {
        tag: 'create',
        attrs: { subject, key },
        content: participants.map(jid => ({ tag: 'participant', attrs: { jid } })),
      },
    ],
  })
  const group = getBinaryNodeChild(answer, 'group')
  const id = group?.attrs['id']
  if (id === undefined) throw new JobFailure('INTERNAL', 'WhatsApp answered without a group', 'backoff')
  const groupJid = id.includes('@') ? id : jidEncode(id, 'g.us')
  return { groupJid, participants: resultsOf(participants, answeredBy(group)) }
}

async function findCreated(
  sock: WASocket,
  subject: string,
  createdAt: number,
  isFree: (groupJid: string) => Promise<boolean>,
): Promise<GroupMetadata | undefined> {
  const since = Math.floor(createdAt / 1000) - CLOCK_SKEW_SECONDS
  const mine = new Set([userOf(sock.user?.id), userOf(sock.user?.lid)])
  const groups = Object.values(await sock.groupFetchAllParticipating())
  const candidates = groups
    .filter(group => group.subject === subject && (group.creation ?? 0) >= since)
    .filter(({ owner, ownerPn }) => [owner, ownerPn].some(jid => jid !== undefined && mine.has(userOf(jid))))
    .sort((a, b) => (a.creation ?? 0) - (b.creation ?? 0))
  for (const group of candidates) if (await isFree(group.id)) return group
  return undefined
}

function userOf(jid: string | undefined): string | undefined {
  return jid?.replace(/[:@].*$/, '')
}

/** Who is in the group now; of the others it is not known what WhatsApp said. */
function joined(asked: string[], { participants }: GroupMetadata) {
  return resultsOf(
    asked,
    participants.map(({ id, phoneNumber, lid }) => ({ jid: lid ?? id, phoneNumber: phoneNumber ?? id, status: '200' })),
  )
}
