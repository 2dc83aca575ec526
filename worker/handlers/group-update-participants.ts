import type { Handler } from './handler.ts'
import { JobFailure } from '../jobs/job.ts'
import { serverCodeOf, socketClosed, toFailure } from '../whatsapp/failures.ts'
import { resultsOf } from '../whatsapp/participants.ts'

/**
 * GROUP_UPDATE_PARTICIPANTS: all four actions. The job completes when WhatsApp took the request, even if it refused
 * each participant: the statuses say so.
 */
export const groupUpdateParticipants: Handler<'GROUP_UPDATE_PARTICIPANTS'> = async (context, job, signal) => {
  const { sock, fence } = context
  const { jid, action, participants } = job.data
  if (signal.aborted || !fence.valid()) throw socketClosed()
  context.turn.asked()
  try {
    const answers = await sock.groupParticipantsUpdate(jid, participants, action)
    const answered = answers.map(({ jid: answeredJid, status, content }) => ({
      jid: answeredJid,
      phoneNumber: content.attrs['phone_number'],
      status,
    }))
    return { participants: resultsOf(participants, answered) }
  } catch (error) {
    if (signal.aborted) throw socketClosed()
    const code = serverCodeOf(error)
    if (code === '401' || code === '404') throw new JobFailure('NOT_IN_GROUP', `the session is not in ${jid} (${code})`)
    throw toFailure(error)
  } finally {
    context.groups.changed(jid)
  }
}
