import type { RawSocket } from './guard-socket.ts'

/** Holds back what is to be written to a socket. */
export interface FrameGate {
  /** Shuts the gate until the returned function is called; with several holders, until all have called theirs. */
  hold(): () => void
}

/**
 * A gate before a socket. While it is shut, frames wait in their order (they are numbered by Noise, so none may pass
 * another) and count as written, since Baileys goes on only when they are. A socket that closes takes them with it,
 * as it takes frames that are on their way.
 */
export function gateFrames({ socket }: RawSocket): FrameGate {
  if (socket === null) return { hold: () => () => {} }
  const send = socket.send.bind(socket)
  const waiting: unknown[] = []
  let holders = 0

  socket.send = (data, callback) => {
    if (holders === 0) return send(data, callback)
    waiting.push(data)
    callback?.()
  }

  return {
    hold() {
      holders += 1
      let held = true
      return () => {
        if (!held) return
        held = false
        holders -= 1
        if (holders === 0) for (const data of waiting.splice(0)) send(data, ignore)
      }
    },
  }
}

/** A frame that cannot be written any more: the socket's own close event tells everyone. */
function ignore(): void {}
