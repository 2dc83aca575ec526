import type { Attach, SessionContext } from '../sessions/context.ts'
import type { Outbox } from '../types.ts'
import { followAcks } from './acks.ts'
import { followInbound } from './follow-inbound.ts'
import { openInboundLine, type InboundLine } from './inbound.ts'

/** What {@link createAttach} needs. */
export interface AttachOptions {
  outbox: Outbox
  /** Default: 30 s. */
  ackTimeoutMs?: number
}

/** Makes what follows each new socket: acks of what is sent, and messages on their way into the outbox. */
export function createAttach({ outbox, ackTimeoutMs }: AttachOptions): Attach {
  // By session and not by socket: what an old socket brought must be stored before what its successor brings.
  const lines = new Map<string, Promise<InboundLine>>()

  async function lineOf(session: SessionContext): Promise<InboundLine> {
    const { sessionId, fence } = session
    const opened = lines.get(sessionId)
    if (opened !== undefined) return opened
    const line = openInboundLine(outbox, session)
    lines.set(sessionId, line)
    const forget = () => void (lines.get(sessionId) === line && lines.delete(sessionId))
    fence.signal.addEventListener('abort', forget, { once: true })
    line.catch(forget)
    return line
  }

  return async session => {
    const line = await lineOf(session)
    return socket => {
      const acks = followAcks(socket.sock.ws, ackTimeoutMs)
      const inbound = followInbound(socket, session, line)
      return {
        acks,
        detach() {
          acks.close()
          inbound.detach()
        },
        drained: async () => inbound.drained(),
      }
    }
  }
}
