import { expect, test } from 'vitest'
import { resultsOf } from './participants.ts'

const BUDI = { jid: '1@lid', phoneNumber: '62811@s.whatsapp.net', status: '200' }
const SITI = { jid: '62812@s.whatsapp.net', phoneNumber: undefined, status: '403' }

test('each person is named once, as first asked for', () => {
  const asked = ['62812@s.whatsapp.net', '62811@s.whatsapp.net', '1@lid']
  expect(resultsOf(asked, [BUDI, SITI])).toEqual([
    { jid: '62812@s.whatsapp.net', status: '403' },
    { jid: '62811@s.whatsapp.net', status: '200' },
  ])
})

test('nobody is left out because WhatsApp says nothing of them', () => {
  expect(resultsOf(['62813@s.whatsapp.net', '1@lid'], [BUDI])).toEqual([
    { jid: '62813@s.whatsapp.net', status: 'unanswered' },
    { jid: '1@lid', status: '200' },
  ])
})
