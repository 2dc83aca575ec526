import { describe, expect, it } from 'vitest'
import { InboundResumed, readDisconnect } from './disconnect.ts'

/** An error as Baileys makes them. */
const boom = (statusCode: number, message = 'Stream Errored', data?: unknown) =>
  Object.assign(new Error(message), { data, output: { statusCode } })

describe('what follows a disconnect', () => {
  it.each([
    [515, 'restart_required', 'now'],
    [440, 'replaced', 'replaced'],
    [401, 'logged_out', 'log_out'],
    [403, 'forbidden', 'rest'],
    [406, 'not_acceptable', 'rest'],
    [411, 'device_mismatch', 'rest'],
    [405, 'client_outdated', 'outdated'],
    [408, 'connection_lost', 'backoff'],
    [428, 'connection_closed', 'backoff'],
    [503, 'unavailable', 'backoff'],
    [500, 'stream_error', 'backoff'],
    [516, 'unknown', 'backoff'],
    [429, 'unknown', 'backoff'],
  ])('%i is %s: %s', (statusCode, reason, policy) => {
    expect(readDisconnect(boom(statusCode))).toEqual({ statusCode, reason, policy })
  })

  it.each([
    ['3600', 3_600_000],
    ['1', 60_000],
    ['99999999999', 604_800_000],
    ['soon', 3_600_000],
    [undefined, 3_600_000],
  ])('402 with %s seconds waits %i ms', (expire, waitMs) => {
    expect(readDisconnect(boom(402, 'Connection Failure', { reason: '402', expire }))).toEqual({
      statusCode: 402,
      reason: 'banned_for_a_while',
      policy: 'wait',
      waitMs,
    })
  })

  it('tells spent QR codes from a lost connection', () => {
    expect(readDisconnect(boom(408, 'QR refs attempts ended'))).toMatchObject({ policy: 'pairing_ended' })
    expect(readDisconnect(boom(408, 'Connection was lost'))).toMatchObject({ policy: 'backoff' })
  })

  it('tells a certificate that Baileys refused from a 400 of WhatsApp', () => {
    const refused = { statusCode: 400, reason: 'handshake_refused', policy: 'slow' }
    const message = 'noise intermediate certificate signature invalid'
    expect(readDisconnect(boom(400, message))).toEqual(refused)
    // Boom's own default.
    expect(readDisconnect(boom(400, message, null))).toEqual(refused)
    const unknown = { statusCode: 400, reason: 'unknown', policy: 'backoff' }
    expect(readDisconnect(boom(400, 'Connection Failure', { reason: '400' }))).toEqual(unknown)
    expect(readDisconnect(boom(400, 'Stream Errored (unknown)', { tag: 'stream:error', attrs: {} }))).toEqual(unknown)
  })

  it.each([401, 403, 440, 502])(
    'takes an HTTP %i of the WebSocket for a failed connection, never for a logout',
    code => {
      const error = new Error(`Unexpected server response: ${code}`)
      expect(readDisconnect(boom(code, `WebSocket Error (${error.message})`, error))).toEqual({
        statusCode: code,
        reason: 'connection_failed',
        policy: 'backoff',
      })
    },
  )

  it('knows the end that we made to have what waits at WhatsApp', () => {
    const known = { statusCode: 515, reason: 'inbound_resumed', policy: 'resume' }
    expect(readDisconnect(new InboundResumed())).toEqual(known)
  })

  it.each([undefined, null, new Error('bad handshake'), 'text', { output: { statusCode: '401' } }])(
    'backs off from %s, which it does not know',
    error => {
      expect(readDisconnect(error)).toEqual({ statusCode: 500, reason: 'stream_error', policy: 'backoff' })
    },
  )
})
