/** The part of `ws` (a dependency of Baileys, which brings no types) that the simulator uses. */
declare module 'ws' {
  import type { EventEmitter } from 'node:events'
  import type { IncomingMessage, Server } from 'node:http'

  export class WebSocket extends EventEmitter {
    static readonly OPEN: 1
    readonly readyState: 0 | 1 | 2 | 3
    binaryType: 'nodebuffer' | 'arraybuffer' | 'fragments'
    send(data: Uint8Array, done?: (error?: Error) => void): void
    close(code?: number, reason?: string): void
    terminate(): void
    on(event: 'message', listener: (data: Buffer) => void): this
    on(event: 'close', listener: () => void): this
    on(event: 'error', listener: (error: Error) => void): this
  }

  export class WebSocketServer extends EventEmitter {
    constructor(options: { server?: Server; maxPayload?: number; perMessageDeflate?: boolean })
    readonly clients: Set<WebSocket>
    close(done?: (error?: Error) => void): void
    on(event: 'connection', listener: (socket: WebSocket, request: IncomingMessage) => void): this
  }
}
