import { createRequire } from 'node:module'
import { pino } from 'pino'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { baileysLog } from '../../whatsapp/baileys-log.ts'
import { silenceConsole } from './console.ts'

interface SessionRecord {
  closeSession(session: object): void
  openSession(session: object): void
}

const fromBaileys = createRequire(import.meta.resolve('@whiskeysockets/baileys'))
const Record = fromBaileys('libsignal/src/session_record.js') as new () => SessionRecord

const SECRET = 'private-key-bytes'
const session = () => ({ privKey: SECRET, indexInfo: { closed: -1 } })

function capture() {
  const lines: string[] = []
  const log = pino({ level: 'trace', base: null, timestamp: false }, { write: (line: string) => void lines.push(line) })
  return { log, text: () => lines.join('') }
}

const undo: (() => void)[] = []
afterEach(() => {
  for (const restore of undo.splice(0).reverse()) restore()
})

describe('the silence of libraries', () => {
  it('keeps what libsignal prints of a session off the console and out of the log', () => {
    const print = vi.spyOn(console, 'info').mockImplementation(() => undefined)
    undo.push(() => print.mockRestore())
    new Record().closeSession(session())
    expect(JSON.stringify(print.mock.calls)).toContain(SECRET)

    print.mockClear()
    const { log, text } = capture()
    const restore = silenceConsole(log)
    new Record().closeSession(session())
    new Record().openSession(session())
    restore()
    expect(print).not.toHaveBeenCalled()
    expect(text()).toContain('a library printed to the console')
    expect(text()).not.toContain(SECRET)
  })

  it("lets no object, jid or value of Baileys' log through", () => {
    const { log, text } = capture()
    const logger = baileysLog(log).child({ creds: SECRET })
    for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) {
      logger[level]({ node: SECRET, key: { id: SECRET } }, `failed to decrypt 628123456789@s.whatsapp.net ${SECRET}`)
      logger[level](`invalid mapping: ${SECRET}`)
    }
    expect(logger.level).toBe('silent')
    expect(text()).toContain('failed to decrypt')
    expect(text()).not.toMatch(/628|private-key/)
  })
})
