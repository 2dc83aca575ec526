import type { WASocket } from '@whiskeysockets/baileys'
import type { Fence } from '../../ownership/fence.ts'
import type { RawSocket } from './raw-socket.ts'

/** Holds back what is written to a socket. */
export interface FrameGate {
  /** Shuts the gate for whatever is written from now on, until the returned function is called. */
  hold(): () => void
  /** Resolves when all that was written so far has left. Never resolves for what a closed socket takes with it. */
  passed(): Promise<void>
}

/** A socket, and what stands between it and the world. */
export interface GatedSocket {
  sock: WASocket
  gate: FrameGate
  /**
   * From now on keys that the socket sets stay in memory, until the returned function is called. They are then stored in one
   * write, with all that is set before `whole` resolves: the keys of one message, never half of them.
   */
  holdKeys: (whole: Promise<void>) => () => void
}

/** What stands in the queue: a frame, a hold (nothing behind it leaves), or a call for when all before it has left. */
type Queued = { frame: unknown } | { held: boolean } | { reached: () => void }

/**
 * Guards all that a socket writes, for two reasons.
 *
 * A frame must not leave once the lease may have passed to another worker. A process that was frozen asks the clock here,
 * before any timer has told it that time has passed, and the connection is cut.
 *
 * A frame must not leave before the keys that it rests on are stored. So frames queue behind holds. They keep their order,
 * since Noise numbers them, and Baileys is told that they are written, since it goes on only then. When the socket closes,
 * the queued frames are lost with it, as frames on their way are.
 */
export function guardWrites({ socket }: RawSocket, fence: Pick<Fence, 'valid'>): FrameGate {
  if (socket === null) return { hold: () => () => {}, passed: async () => {} }
  const write = socket.send.bind(socket)
  const queue: Queued[] = []

  function send(frame: unknown, callback?: (error?: Error) => void): void {
    if (fence.valid()) return write(frame, callback)
    socket?.terminate()
    callback?.(new Error('the lease of this session may be lost'))
  }

  socket.send = (frame, callback) => {
    if (queue.length === 0) return send(frame, callback)
    queue.push({ frame })
    callback?.()
  }

  function pass(): void {
    const held = queue.findIndex(next => 'held' in next && next.held)
    const free = queue.splice(0, held === -1 ? queue.length : held)
    // Together they take one write of the system instead of one each.
    const { _socket: wire } = socket ?? {}
    wire?.cork()
    for (const next of free) if ('frame' in next) send(next.frame, ignore)
    wire?.uncork()
    for (const next of free) if ('reached' in next) next.reached()
  }

  return {
    hold() {
      const mine = { held: true }
      queue.push(mine)
      return () => {
        mine.held = false
        if (queue[0] === mine) pass()
      }
    },
    async passed() {
      if (queue.length > 0) await new Promise<void>(resolve => queue.push({ reached: resolve }))
    },
  }
}

/** A frame that cannot be written any more: the socket's own close event tells everyone. */
function ignore(): void {}
