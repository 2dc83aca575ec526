import type { BaileysEventMap, BinaryNode, MessageRetryManager, WASocket } from '@whiskeysockets/baileys'

type Upsert = BaileysEventMap['messages.upsert']

/** What somebody does to the messages that Baileys has in its hands. It has one at a time. */
export interface MessageHooks {
  /** Runs Baileys' handling of one message, or does not: then no receipt leaves, and WhatsApp keeps the message. */
  handle(work: () => Promise<unknown>): Promise<unknown>
  /** Runs the decryption of one part of a message, or answers in its place. `stanza` is the whole message, where known. */
  decrypt(stanza: BinaryNode | undefined, work: () => Promise<unknown>): Promise<unknown>
  /** Baileys could read the message with this id, and is about to send its receipt. */
  readable(messageId: string): void
  /**
   * Baileys could not read the message. `spent`: it was asked for so often that Baileys asks no more. Answers whether it shall not
   * be asked for again.
   */
  unreadable(spent: boolean): boolean
  /** Every stanza of a message, before Baileys looks at it. */
  came(stanza: BinaryNode): void
  /** Baileys emits these messages, before anybody else hears of them. */
  emitted(upsert: Upsert): void
  /** Baileys emits another event, before anybody else hears of it, and before WhatsApp has its ack. */
  updated<E extends keyof BaileysEventMap>(event: E, data: BaileysEventMap[E]): void
  /** Whether a message that was decrypted is still to be emitted, though the socket has closed meanwhile. */
  pending(): boolean
}

/** What is used of a socket. */
export type Intercepted = Pick<WASocket, 'messageMutex' | 'messageRetryManager' | 'signalRepository' | 'ev' | 'ws'>

/**
 * Puts hooks where a socket handles its messages (messages-recv.js, 7.0.0-rc14). Baileys handles one at a time
 * (`messageMutex`), tells that it could read it (`cancelPendingPhoneRequest`) or asks for it again
 * (`hasExceededMaxRetries`), and emits it, if the socket is still open (`isOpen`).
 */
export function interceptMessages(sock: Intercepted, hooks: MessageHooks): void {
  const { messageMutex, messageRetryManager, signalRepository: repository, ev, ws } = sock
  const inTurn = messageMutex.mutex.bind(messageMutex)
  // Nobody looks at what the work resolves with.
  messageMutex.mutex = async work => inTurn(async () => hooks.handle(async () => work())) as never

  const stanzas = new WeakMap<Uint8Array, BinaryNode>()
  // Before Baileys' own listener.
  ws.prependListener('CB:message', (stanza: BinaryNode) => {
    hooks.came(stanza)
    if (!Array.isArray(stanza.content)) return
    for (const { content } of stanza.content) if (content instanceof Uint8Array) stanzas.set(content, stanza)
  })
  const decrypt = repository.decryptMessage.bind(repository)
  repository.decryptMessage = async part =>
    hooks.decrypt(stanzas.get(part.ciphertext), async () => decrypt(part)) as never
  const decryptGroup = repository.decryptGroupMessage.bind(repository)
  repository.decryptGroupMessage = async part =>
    hooks.decrypt(stanzas.get(part.msg), async () => decryptGroup(part)) as never

  const emit = ev.emit.bind(ev)
  ev.emit = (event, data) => {
    // Baileys' own listener takes the id for granted, and nobody catches what it throws.
    if (event === 'call' && (data as BaileysEventMap['call']).some(({ id }) => typeof id !== 'string')) return false
    if (event === 'messages.upsert') hooks.emitted(data as Upsert)
    else hooks.updated(event, data)
    return emit(event, data)
  }

  // Baileys emits no message on a socket that has closed, though the receipt of this one counts as written.
  const client = Object.getPrototypeOf(ws) as object
  Object.defineProperty(ws, 'isOpen', {
    get: () => Reflect.get(client, 'isOpen', ws) === true || (hooks.pending() && Reflect.get(ws, 'socket') !== null),
  })
  if (messageRetryManager !== null) hookRetries(messageRetryManager, hooks)
}

function hookRetries(manager: MessageRetryManager, hooks: Pick<MessageHooks, 'readable' | 'unreadable'>): void {
  const cancel = manager.cancelPendingPhoneRequest.bind(manager)
  let ofOthers = false
  const forOthers =
    <A extends unknown[]>(work: (...args: A) => void) =>
    (...args: A): void => {
      ofOthers = true
      work(...args)
      ofOthers = false
    }
  manager.cancelPendingPhoneRequest = messageId => {
    if (!ofOthers) hooks.readable(messageId)
    cancel(messageId)
  }
  // These two call the one above, for a message that we sent, and for all.
  manager.markRetrySuccess = forOthers(manager.markRetrySuccess.bind(manager))
  manager.clear = forOthers(manager.clear.bind(manager))
  const hasExceeded = manager.hasExceededMaxRetries.bind(manager)
  manager.hasExceededMaxRetries = messageId => {
    const spent = hasExceeded(messageId)
    return hooks.unreadable(spent) || spent
  }
}
