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
   * Lets nothing that the socket sets of its keys from now on be stored until the returned function is called. What is set
   * before `whole` resolves is stored in one.
   */
  holdKeys: (whole: Promise<void>) => () => void
}

/** What stands in line: a frame, somebody who holds what is behind it, or somebody who waits for what is before it. */
type Standing = { frame: unknown } | { held: boolean } | { reached: () => void }

/**
 * Guards all that a socket writes. No frame leaves once the lease may have passed to another worker: a process that was
 * frozen asks the clock here, before any timer has told it, and the connection is cut. And frames wait behind holds: what
 * stands behind one keeps its order (Noise numbers frames, so none may pass another) and counts as written, since Baileys
 * goes on only when it is. A socket that closes takes it along, as it takes frames that are on their way.
 */
export function guardWrites({ socket }: RawSocket, fence: Pick<Fence, 'valid'>): FrameGate {
  if (socket === null) return { hold: () => () => {}, passed: async () => {} }
  const write = socket.send.bind(socket)
  const line: Standing[] = []

  function send(frame: unknown, callback?: (error?: Error) => void): void {
    if (fence.valid()) return write(frame, callback)
    socket?.terminate()
    callback?.(new Error('the lease of this session may be lost'))
  }

  socket.send = (frame, callback) => {
    if (line.length === 0) return send(frame, callback)
    line.push({ frame })
    callback?.()
  }

  function pass(): void {
    const held = line.findIndex(next => 'held' in next && next.held)
    const free = line.splice(0, held === -1 ? line.length : held)
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
      line.push(mine)
      return () => {
        mine.held = false
        if (line[0] === mine) pass()
      }
    },
    async passed() {
      if (line.length > 0) await new Promise<void>(resolve => line.push({ reached: resolve }))
    },
  }
}

/** A frame that cannot be written any more: the socket's own close event tells everyone. */
function ignore(): void {}
