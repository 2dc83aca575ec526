import { isLidUser, isPnUser, jidDecode, jidEncode, type WASocket } from '@whiskeysockets/baileys'

/** Under which of a contact's names a text to it is sent, where both are known. */
export type Addressing = 'lid' | 'pn'

/** Where a stanza goes. */
export interface Address {
  jid: string
  /** Further attributes of the stanza. */
  attributes?: { peer_recipient_pn: string }
}

/** What is used of a socket: the stored names of contacts. WhatsApp is not asked. */
export interface NameSource {
  authState: { keys: Pick<WASocket['authState']['keys'], 'get'> }
}

/**
 * The address of a recipient. WhatsApp has moved chats from numbers to LIDs, and refuses a text to the number of a contact that
 * has moved with 463; the LID it takes in any case. The number goes along, as WhatsApp's own clients have it. What is no
 * person, and a person of whom one name alone is known, is addressed as it is.
 */
export async function addressOf(sock: NameSource, jid: string, addressing: Addressing): Promise<Address> {
  const user = jidDecode(jid)?.user
  if (user === undefined) return { jid }
  if (isPnUser(jid) === true && addressing === 'lid') {
    const lid = await nameOf(sock, user)
    return lid === undefined ? { jid } : { jid: jidEncode(lid, 'lid'), attributes: { peer_recipient_pn: jid } }
  }
  if (isLidUser(jid) === true) {
    const number = await nameOf(sock, `${user}_reverse`)
    return number === undefined
      ? { jid }
      : { jid, attributes: { peer_recipient_pn: jidEncode(number, 's.whatsapp.net') } }
  }
  return { jid }
}

/** As Baileys stores them (lid-mapping.js): the LID under the number, the number under the LID and `_reverse`. */
async function nameOf({ authState }: NameSource, field: string): Promise<string | undefined> {
  const { [field]: name } = await authState.keys.get('lid-mapping', [field])
  return typeof name === 'string' && /^\d+$/.test(name) ? name : undefined
}
