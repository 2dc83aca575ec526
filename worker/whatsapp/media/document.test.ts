import { describe, expect, test } from 'vitest'
import { documentName, documentType, type DocumentClues } from './document.ts'

const OFFICE = 'application/vnd.openxmlformats-officedocument'
const XLSX = `${OFFICE}.spreadsheetml.sheet`
const DOCX = `${OFFICE}.wordprocessingml.document`
const OCTETS = 'application/octet-stream'

const BYTES = {
  pdf: '%PDF-1.7\n',
  zip: 'PK\x03\x04\x14\0',
  old: '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1',
  html: '<!doctype html><title>Sign in</title>',
  text: 'name;price\r\nKopi;15.000\r\n',
  json: '{"error": "expired"}',
  jpeg: '\xff\xd8\xff\xe0',
  binary: '\0\x01\x02\x03\x04',
  webm: '\x1a\x45\xdf\xa3....webm',
}

function clues(bytes: keyof typeof BYTES, given: Partial<Omit<DocumentClues, 'head'>> = {}): DocumentClues {
  const none = { field: undefined, fileName: undefined, declared: undefined, names: [] }
  return { head: Buffer.from(BYTES[bytes], 'latin1'), ...none, ...given }
}

describe('the type of a document', () => {
  test.each<[string, DocumentClues, string]>([
    ['its bytes say', clues('pdf', { declared: OCTETS }), 'application/pdf'],
    [
      'its bytes say, whatever the job says',
      clues('pdf', { field: 'image/png', fileName: 'a.docx' }),
      'application/pdf',
    ],
    [
      'its bytes say, with parameters that fit',
      clues('webm', { declared: 'video/webm; codecs=vp9' }),
      'video/webm; codecs=vp9',
    ],
    ['its name says of a ZIP', clues('zip', { declared: OCTETS, fileName: 'harga.xlsx' }), XLSX],
    ['its URL says of a ZIP', clues('zip', { declared: 'application/zip', names: ['surat.docx'] }), DOCX],
    ['the job says, not the server', clues('zip', { field: DOCX, declared: XLSX }), DOCX],
    ['the server says, where that is of use', clues('zip', { declared: XLSX, names: ['download'] }), XLSX],
    ['nobody says more of a ZIP', clues('zip', { declared: 'binary/octet-stream' }), 'application/zip'],
    ['its name says of an old Office file', clues('old', { names: ['a.xls'] }), 'application/vnd.ms-excel'],
    ['it has a password', clues('old', { fileName: 'a.docx' }), DOCX],
    ['nobody knows which Office', clues('old'), OCTETS],
    ['its name says of a text', clues('text', { declared: 'text/plain', names: ['harga.csv'] }), 'text/csv'],
    ['the server says of a text', clues('text', { declared: 'text/csv; charset=utf-8' }), 'text/csv; charset=utf-8'],
    ['nobody says more of a text', clues('text', { declared: OCTETS }), 'text/plain'],
    [
      'it is a page and called one',
      clues('html', { declared: 'text/html; charset=utf-8' }),
      'text/html; charset=utf-8',
    ],
    ['it is a table of an old program', clues('html', { fileName: 'report.xls' }), 'application/vnd.ms-excel'],
    ['its name says of JSON', clues('json', { names: ['a.json'] }), 'application/json'],
    ['nobody knows', clues('binary', { declared: 'not a type at all\n' }), OCTETS],
    ['the job says of what nobody knows', clues('binary', { field: 'application/x-thing' }), 'application/x-thing'],
    ['the type is too long', clues('binary', { declared: `a/${'b'.repeat(200)}` }), OCTETS],
  ])('when %s', (_when, given, expected) => {
    expect(documentType(given)).toBe(expected)
  })

  test.each<[string, DocumentClues, RegExp]>([
    ['a page as PDF', clues('html', { field: 'application/pdf' }), /^the media is a web page.*not application\/pdf$/],
    ['a page under a PDF name', clues('html', { fileName: 'invoice.pdf' }), /login or error page/],
    ['a page from a PDF URL', clues('html', { declared: 'text/html', names: ['invoice.pdf'] }), /login or error page/],
    ['an error in JSON as a workbook', clues('json', { names: ['harga.xlsx'] }), /^the media is a text/],
    ['a text as an image', clues('text', { field: 'image/jpeg' }), /not image\/jpeg/],
    ['a ZIP as PDF', clues('zip', { fileName: 'a.pdf' }), /^the media is a ZIP archive, and not application\/pdf/],
    ['noise as PDF', clues('binary', { declared: 'application/pdf' }), /no format that is known here/],
  ])('is none for %s', (_what, given, words) => {
    expect(() => documentType(given)).toThrow(
      expect.objectContaining({ code: 'MEDIA_UNREADABLE', retry: 'never', message: expect.stringMatching(words) }),
    )
  })
})

describe('the name of a document', () => {
  test.each<[string, string | undefined, string[], string, string]>([
    ["the job's", 'invoice.pdf', ['b.pdf'], 'application/pdf', 'invoice.pdf'],
    ['the first of the others', undefined, ['download', 'b.pdf', 'c.pdf'], 'application/pdf', 'b.pdf'],
    ['made up', undefined, ['download'], 'text/csv; charset=utf-8', 'document.csv'],
    ['given an ending', 'invoice', [], 'application/pdf', 'invoice.pdf'],
    ['given an ending after a version', 'report v1.2', [], 'application/pdf', 'report v1.2.pdf'],
    ['given the right ending', 'invoice.pdf', [], 'image/jpeg', 'invoice.jpg'],
    ['left with another of its endings', 'a.jpeg', [], 'image/jpeg', 'a.jpeg'],
    ['left with an ending that a text may have', 'notes.ini', [], 'text/plain', 'notes.ini'],
    ['left with an ending that a ZIP may have', 'app.jar', [], 'application/zip', 'app.jar'],
    ['left alone for an unknown type', 'a.bin', [], 'application/octet-stream', 'a.bin'],
    ['left alone for a type without endings', 'a.pdf', [], 'application/x-unknown', 'a.pdf'],
    ['made up for a type of any name', undefined, [], 'constructor', 'document'],
  ])('is %s', (_how, fileName, names, mimetype, expected) => {
    expect(documentName({ fileName, names }, mimetype)).toBe(expected)
  })
})
