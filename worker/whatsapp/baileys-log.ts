import type { SocketConfig } from '@whiskeysockets/baileys'
import type { Logger } from 'pino'

/**
 * What Baileys may log: the static part of its warnings and errors, at our debug level. Its objects hold keys, whole
 * stanzas and decrypted messages, and its texts are built from jids, so neither leaves this function. It believes that
 * the level is `silent`: at `trace` it would turn each stanza into text first.
 */
export function baileysLog(log: Logger): SocketConfig['logger'] {
  const quiet = (): void => undefined
  const loud =
    (severity: 'warn' | 'error') =>
    (fields: unknown, text?: string): void => {
      const message = typeof fields === 'string' ? fields : text
      log.debug({ severity, said: withoutData(message ?? ''), ...codeOf(fields) }, 'baileys complained')
    }
  const logger: SocketConfig['logger'] = {
    level: 'silent',
    child: () => logger,
    trace: quiet,
    debug: quiet,
    info: quiet,
    warn: loud('warn'),
    error: loud('error'),
  }
  return logger
}

/** The words up to the first digit, quote, brace, bracket or colon: where data would begin. */
function withoutData(text: string): string {
  return (/^[^\d'"`{}[\]:=@]{0,100}/.exec(text)?.[0] ?? '').trim()
}

function codeOf(fields: unknown): { code?: number } {
  const { error, err } = (typeof fields === 'object' && fields !== null ? fields : {}) as Record<string, unknown>
  const output = ((error ?? err) as { output?: { statusCode?: unknown } } | undefined)?.output
  return typeof output?.statusCode === 'number' ? { code: output.statusCode } : {}
}
