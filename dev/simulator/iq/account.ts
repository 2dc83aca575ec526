import { unlink } from '../login.ts'
import { childrenOf, node } from '../nodes.ts'
import { iqError, type IqAnswer, type IqHandler, type IqRequest } from './answer.ts'

const PRIVACY = ['last', 'online', 'profile', 'status', 'readreceipts', 'groupadd', 'calladd', 'messages']
const empty: IqHandler = () => []

/** Namespaces about the account itself, each answered as far as Baileys reads the answer. */
export const accountHandlers: Readonly<Record<string, IqHandler>> = {
  'w:p': empty,
  'w:stats': empty,
  status: empty,
  disappearing_mode: empty,
  'urn:xmpp:whatsapp:dirty': empty,
  abt: () => [node('props', { hash: 'simulator' }, [node('prop', { name: 'simulator', value: '1' })])],
  blocklist: ({ iq }) => (iq.attrs.type === 'get' ? [node('list', {})] : []),
  privacy: ({ iq }) => {
    if (iq.attrs.type !== 'get') return []
    const categories = PRIVACY.map(name => node('category', { name, value: 'all' }))
    return [node('privacy', {}, categories)]
  },
  'w:sync:app:state': answerAppState,
  'w:profile:picture': ({ iq }) =>
    iq.attrs.type === 'get' ? iqError(404, 'item-not-found') : [node('picture', { id: '1' })],
  'w:biz': ({ child }) => (child?.tag === 'business_profile' ? [node('business_profile', {})] : undefined),
  'w:m': ({ context }) => [
    node('media_conn', { auth: 'simulator', ttl: '3600' }, [
      node('host', { hostname: context.media.host, maxContentLengthBytes: String(128 * 1024 * 1024) }),
    ]),
  ],
  'w:mex': () => [node('result', {}, Buffer.from('{"data":{}}'))],
  md: answerDevices,
}

/** App state holds nothing: a patch raises the version, so that the client believes it was stored. */
function answerAppState({ child }: IqRequest): IqAnswer {
  const collections = childrenOf(child, 'collection').map(collection => {
    const version = Number(collection.attrs.version ?? 0) + childrenOf(collection, 'patch').length
    return node('collection', { name: collection.attrs.name ?? '', version: String(version) })
  })
  return [node('sync', {}, collections)]
}

/** `remove-companion-device`: the result goes out first, then the stream ends. */
function answerDevices({ context, device, child }: IqRequest): IqAnswer {
  if (child?.tag !== 'remove-companion-device') return undefined
  setImmediate(() => unlink(context, device))
  return []
}
