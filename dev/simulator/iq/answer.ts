import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Connection } from '../world.ts'
import type { Context } from '../context.ts'
import { node } from '../nodes.ts'
import type { Device } from '../world.ts'

/** One request of a logged-in client. */
export type IqRequest = {
  readonly context: Context
  readonly connection: Connection
  readonly device: Device
  readonly iq: BinaryNode
  /** First element of the request. */
  readonly child: BinaryNode | undefined
}

/** The content of a result, an error element, or undefined for a request that the handler does not know. */
export type IqAnswer = readonly BinaryNode[] | IqError | undefined

export type IqError = { readonly code: number; readonly text: string }

export type IqHandler = (request: IqRequest) => IqAnswer

export function iqError(code: number, text: string): IqError {
  return { code, text }
}

/** The iq stanza that answers `iq`; unknown requests get an empty result, since an unanswered one stalls for a minute. */
export function iqResult(iq: BinaryNode, answer: IqAnswer): BinaryNode {
  const attrs = { id: iq.attrs.id ?? '', from: iq.attrs.to ?? '@s.whatsapp.net' }
  if (answer && 'code' in answer) {
    const error = node('error', { code: String(answer.code), text: answer.text })
    return node('iq', { ...attrs, type: 'error' }, [error])
  }
  return answer?.length
    ? node('iq', { ...attrs, type: 'result' }, [...answer])
    : node('iq', { ...attrs, type: 'result' })
}
