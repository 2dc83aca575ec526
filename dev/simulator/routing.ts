import type { BinaryNode } from '@whiskeysockets/baileys'
import { childOf, childrenOf } from './nodes.ts'
import type { Opening } from './opening.ts'

/** Where a message went: what became of its ciphertexts, or the code with which the server refuses it. */
export type Routed = { readonly openings: readonly Opening[]; readonly refused?: string; readonly chatPhone?: string }

/** The ciphertexts that are addressed to one device each. */
export function addressedParts(stanza: BinaryNode): { jid: string; enc: BinaryNode }[] {
  return childrenOf(childOf(stanza, 'participants'), 'to').flatMap(to =>
    childrenOf(to, 'enc').map(enc => ({ jid: to.attrs.jid ?? '', enc })),
  )
}

/** What a receiving client needs besides the ciphertext: the sender's signed identity for a first message. */
export function withIdentity(stanza: BinaryNode, encs: BinaryNode[]): BinaryNode[] {
  return [...encs, ...childrenOf(stanza, 'device-identity')]
}
