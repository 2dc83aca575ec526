/**
 * What other gateways and other habits call a field of ours. They are only suggested, never taken: the same word may mean
 * something else to whoever wrote it.
 */
const ALSO_CALLED: Readonly<Record<string, readonly string[]>> = {
  to: ['jid', 'chatId', 'number', 'phone', 'phoneNumber', 'recipient', 'receiver', 'remoteJid', 'target'],
  jid: ['to', 'groupId', 'groupJid', 'chatId'],
  text: ['message', 'body', 'content', 'caption', 'msg'],
  media: ['url', 'file', 'base64', 'mediaUrl', 'image', 'video', 'audio', 'document'],
  type: ['mediaType', 'kind'],
  fileName: ['name', 'title'],
  caption: ['text', 'message'],
  ptt: ['voice', 'voiceNote'],
  name: ['title', 'question', 'subject', 'job', 'type'],
  options: ['values', 'choices', 'answers'],
  emoji: ['reaction', 'text'],
  subject: ['name', 'title'],
  participants: ['members', 'users', 'numbers'],
  quoted: ['quotedMessage', 'replyTo', 'contextInfo'],
  key: ['messageKey', 'messageId', 'id'],
  sessionId: ['session', 'instance', 'instanceName', 'deviceId'],
  data: ['payload', 'body'],
  opts: ['options', 'jobOptions'],
}

/** Longest name that is compared; the work grows with the square. */
const MAX_LENGTH = 40

/** The known name that somebody probably meant, by spelling first and by other gateways' words second. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const bare = bareName(name)
  if (bare === '' || bare.length > MAX_LENGTH) return undefined
  const same = known.find(other => bareName(other) === bare)
  if (same !== undefined) return same
  const most = Math.min(2, Math.floor(bare.length / 3))
  const close = known
    .map(other => ({ other, distance: editDistance(bare, bareName(other)) }))
    .filter(({ distance }) => distance <= most)
    .sort((one, two) => one.distance - two.distance)[0]
  return close?.other ?? known.find(other => ALSO_CALLED[other]?.some(word => bareName(word) === bare))
}

/** Whether the names differ in nothing but capitals, hyphens and underscores. */
export function isSameName(one: string, other: string): boolean {
  return bareName(one) === bareName(other)
}

function bareName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}

/** Levenshtein's: how many letters have to be put in, taken out or replaced. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
