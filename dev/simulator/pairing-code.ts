import { randomBytes } from 'node:crypto'
import {
  aesDecryptCTR,
  aesDecryptGCM,
  aesEncryptCTR,
  derivePairingCodeKey,
  type BinaryNode,
} from '@whiskeysockets/baileys'
import type { Context } from './context.ts'
import { ControlError } from './errors.ts'
import { bytesOf, childOf, node, seconds } from './nodes.ts'
import { link, type Linked } from './pairing.ts'
import type { CodeHello, Registration } from './registration.ts'
import { agree, generateKeyPair } from './signal/curve.ts'
import { derive } from './signal/primitives.ts'

const SALT = 32
const IV = 16
const FINISH_MS = 10_000

/** Answers the two requests of the code exchange that a client sends. */
export function answerCodeExchange(registration: Registration, request: BinaryNode): BinaryNode[] | undefined {
  const stage = request.attrs.stage
  if (stage === 'companion_hello') {
    const wrappedKey = bytesOf(childOf(request, 'link_code_pairing_wrapped_companion_ephemeral_pub'))
    const phone = request.attrs.jid?.split('@')[0]
    if (!wrappedKey || wrappedKey.length !== SALT + IV + 32 || !phone) return undefined
    const ref = randomBytes(16)
    registration.codeHello = { phone, wrappedKey, ref, finished: undefined }
    return [node('link_code_companion_reg', {}, [node('link_code_pairing_ref', {}, ref)])]
  }
  const bundle = bytesOf(childOf(request, 'link_code_pairing_wrapped_key_bundle'))
  if (stage !== 'companion_finish' || !bundle) return undefined
  registration.codeHello?.finished?.(bundle)
  return []
}

/** Types the code into the phone of `phone`: runs the exchange and links the client. */
export async function pairByCode(context: Context, phone: string, code: string): Promise<Linked> {
  const registration = [...context.registrations.values()].reverse().find(({ codeHello }) => codeHello?.phone === phone)
  const hello = registration?.codeHello
  if (!registration || !hello) throw new ControlError(404, 'code_unknown', 'no waiting client asked for this number')
  const account = context.world.ensure(phone)
  if (!account) throw new ControlError(422, 'phone_unregistered', 'this number cannot have WhatsApp')
  const key = await derivePairingCodeKey(code.replaceAll('-', ''), hello.wrappedKey.subarray(0, SALT))
  const iv = hello.wrappedKey.subarray(SALT, SALT + IV)
  const companionKey = aesDecryptCTR(hello.wrappedKey.subarray(SALT + IV), key, iv)

  const ephemeral = generateKeyPair()
  const [salt, ownIv] = [randomBytes(SALT), randomBytes(IV)]
  const ownKey = await derivePairingCodeKey(code.replaceAll('-', ''), salt)
  const wrapped = Buffer.concat([salt, ownIv, aesEncryptCTR(ephemeral.public, ownKey, ownIv)])
  const finished = waitForFinish(hello)
  const attrs = {
    from: 's.whatsapp.net',
    id: `code-${registration.connection.number}`,
    type: 'link_code_companion_reg',
    t: seconds(),
  }
  registration.connection.send(
    node('notification', attrs, [
      node('link_code_companion_reg', { stage: 'primary_hello' }, [
        node('link_code_pairing_wrapped_primary_ephemeral_pub', {}, wrapped),
        node('primary_identity_pub', {}, account.party.identity.public),
        node('link_code_pairing_ref', {}, hello.ref),
      ]),
    ]),
  )
  const bundle = await finished
  const shared = agree(ephemeral, companionKey)
  const advSecret = openBundle(bundle, shared, registration, account.party.identity)
  return link(context, registration, advSecret, phone)
}

function waitForFinish(hello: CodeHello): Promise<Buffer> {
  return new Promise<Buffer>((resolve, reject) => {
    const give = (): void => reject(new ControlError(504, 'pairing_timeout', 'the client did not finish the exchange'))
    const timer = setTimeout(give, FINISH_MS)
    hello.finished = bundle => {
      clearTimeout(timer)
      resolve(bundle)
    }
  })
}

function openBundle(
  bundle: Buffer,
  shared: Buffer,
  registration: Registration,
  identity: Parameters<typeof agree>[0],
): Buffer {
  const key = derive(shared, 'link_code_pairing_key_bundle_encryption_key', 32, bundle.subarray(0, SALT))
  let opened: Buffer
  try {
    opened = aesDecryptGCM(bundle.subarray(SALT + 12), key, bundle.subarray(SALT, SALT + 12), Buffer.alloc(0))
  } catch {
    throw new ControlError(422, 'code_wrong', 'the code is not the one that the client shows')
  }
  const same = opened.subarray(0, 32).equals(registration.identity)
  if (!same || !opened.subarray(32, 64).equals(identity.public)) {
    throw new ControlError(422, 'code_mismatch', 'the client sealed other identities')
  }
  return derive(
    Buffer.concat([shared, agree(identity, registration.identity), opened.subarray(64, 96)]),
    'adv_secret',
    32,
  )
}
