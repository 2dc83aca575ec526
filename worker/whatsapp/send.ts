import { isJidGroup, isJidStatusBroadcast, type BinaryNode, type proto, type WASocket } from '@whiskeysockets/baileys'
import type { JobResult } from '../../shared/receipt.ts'
import { JobFailure, type Job } from '../jobs/job.ts'
import type { FrameGate } from '../baileys/socket/writes.ts'
import type { SessionContext } from '../core.ts'
import type { Turn } from '../jobs/lane/turn.ts'
import type { Acks } from './acks.ts'
import type { Audience } from './audience.ts'
import type { Devices } from './devices.ts'
import type { Groups } from './group-cache.ts'
import type { SentStore } from './sent-store.ts'
import { Refused, serverCodeOf, socketClosed, toFailure } from './failures.ts'
import { messageIdOf } from './message-id.ts'
import { findRecipient } from './recipient.ts'

/** The refusal of a message to somebody whom the account has, to WhatsApp, no business with. */
const STRANGER = '463'

/** What a handler gets: an open socket and what belongs to it. It is made anew for each job. */
export interface SendContext extends SessionContext {
  sock: WASocket
  gate: Pick<FrameGate, 'passed'>
  acks: Acks
  sent: SentStore
  /** Knows the groups of the session; rejects when it is not in one. */
  groups: Groups
  /** Knows the devices of those that messages go to. */
  devices: Devices
  /** When the job may write. A handler that writes without asking runs alone. */
  turn: Turn
}

/** A message that a handler wants sent. */
export interface Outgoing {
  /** A complete jid. */
  to: string
  build(): Promise<proto.IMessage> | proto.IMessage
  /** Whether to look for the content of an earlier run before building: an upload costs more than the look. */
  costly?: boolean
  /** Stanza children beside the message. */
  nodes?: BinaryNode[]
}

/**
 * Sends one message for a job and resolves when WhatsApp's server has acked it. The content is kept before anything is
 * written, and a run after a crash or a lost ack sends that very content under the same id: to WhatsApp both are one
 * message. Throws `JobFailure`.
 */
export async function sendFor(
  context: SendContext,
  job: Job,
  outgoing: Outgoing,
  signal: AbortSignal,
): Promise<JobResult> {
  const { sock, sent, fence, sessionId, acks } = context
  const messageId = messageIdOf(sock.authState.creds, { sessionId, id: job.id, createdAt: job.createdAt })
  // What takes a while to build is no suspect before it is written.
  if (outgoing.costly !== true) context.turn.asked()
  try {
    const to = await findRecipient(context, outgoing.to, ownJids(context))
    const earlier = outgoing.costly === true ? await sent.get(fence, sessionId, messageId) : undefined
    const message =
      earlier?.message ??
      (await sent.keep(fence, sessionId, messageId, await outgoing.build(), await audienceOf(context, to)))
    await context.turn.come()
    // From here on bytes go out: a worker that froze past its lease must find out now.
    if (signal.aborted || !fence.valid()) throw socketClosed()
    context.turn.asked()
    const ack = acks.expect(messageId)
    try {
      const { jid, attributes } = await context.devices.address(to)
      await sock.relayMessage(jid, message, {
        messageId,
        ...(attributes && { additionalAttributes: { ...attributes } }),
        ...(outgoing.nodes && { additionalNodes: outgoing.nodes }),
        ...(isJidStatusBroadcast(to) && { statusJidList: ownJids(context) }),
      })
      context.turn.written()
      await context.gate.passed()
      await ack.wait()
    } finally {
      ack.drop()
    }
    return { key: { remoteJid: to, fromMe: true, id: messageId } }
  } catch (error) {
    throw explain(error, outgoing.to, job, signal)
  }
}

async function audienceOf({ groups, devices }: SendContext, chat: string): Promise<Audience> {
  if (!isJidGroup(chat)) return { chat }
  const { participants } = await groups.find(chat)
  const members = participants.map(({ id }) => id)
  await devices.find(members)
  return { chat, members }
}

/** Our own number. A status goes to the devices that are named; no list of contacts is kept, so it is ours that show it. */
function ownJids({ sock }: SendContext): string[] {
  const id = sock.user?.id
  return id === undefined ? [] : [id.replace(/:\d+@/, '@')]
}

function explain(error: unknown, to: string, { attempt }: Job, signal: AbortSignal): unknown {
  if (signal.aborted) return socketClosed()
  // Baileys asks for a new privacy token when it sees this refusal; with that the message may pass. Once: each repeat counts
  // with WhatsApp as another attempt to write to strangers.
  if (error instanceof Refused && error.serverCode === STRANGER && attempt === 1) {
    return new Refused(STRANGER, error.message, 'backoff')
  }
  const code = serverCodeOf(error)
  if (isJidGroup(to) === true && (code === '401' || code === '403' || code === '404')) {
    return new JobFailure('NOT_IN_GROUP', `the session is not in ${to} (${code})`)
  }
  return toFailure(error)
}
