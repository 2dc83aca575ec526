import { WA_CERT_DETAILS } from '@whiskeysockets/baileys'

/** Has all sockets of this process believe a server whose certificates end at this key, 32 bytes: that of the simulator. */
export function trustRootKey(key: Uint8Array): void {
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(key)
}
