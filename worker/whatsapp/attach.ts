import type { Attach, SessionContext } from '../sessions/context.ts'
import type { Outbox } from '../types.ts'
import { followAcks } from './acks.ts'
import { followInbound } from './follow-inbound.ts'
import { createInboundLine, type InboundLine } from './inbound.ts'

/** What {@link createAttach} needs. */
export interface AttachOptions {
  outbox: Outbox
  /** Default: 30 s. */
  ackTimeoutMs?: number
}

/** Makes what follows each new socket: acks of what is sent, and messages on their way into the outbox. */
export function createAttach({ outbox, ackTimeoutMs }: AttachOptions): Attach {
  // By session and not by socket: what an old socket brought must be stored before what its successor brings.
  const lines = new Map<string, InboundLine>()

  const lineOf = ({ sessionId, fence }: SessionContext): InboundLine => {
    const known = lines.get(sessionId)
    if (known !== undefined) return known
    const line = createInboundLine(outbox)
    lines.set(sessionId, line)
    fence.signal.addEventListener('abort', () => lines.delete(sessionId), { once: true })
    return line
  }

  return (socket, session) => {
    const line = lineOf(session)
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
