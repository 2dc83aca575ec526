import { describe, expect, test } from 'vitest'
import { cleanName, nameOfDisposition, nameOfUrl } from './file-name.ts'

/** Header bytes as Node hands them on. */
const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

describe('a Content-Disposition', () => {
  test.each([
    ['attachment; filename="invoice 7.pdf"', 'invoice 7.pdf'],
    ['attachment;filename=invoice.pdf', 'invoice.pdf'],
    ['inline; filename = "a;b.pdf" ; size=7', 'a;b.pdf'],
    ['attachment; filename="say \\"hi\\".txt"', 'say "hi".txt'],
    ['attachment; filename="eur.pdf"; filename*=UTF-8\'\'%E2%82%AC%20rates.pdf', '€ rates.pdf'],
    ["attachment; filename*=iso-8859-1'en'%A3.pdf", '£.pdf'],
    ["attachment; filename=right.pdf; filename*=UTF-8''%E0%A4%A", 'right.pdf'],
    [latin1('attachment; filename="laporan–akhir.pdf"'), 'laporan–akhir.pdf'],
    ['attachment; filename="laporan%20akhir.pdf"', 'laporan akhir.pdf'],
    ['attachment; filename="../../etc/passwd"', 'passwd'],
    ['attachment; filename="C:\\\\Users\\\\x\\\\a.doc"', 'a.doc'],
    [latin1('attachment; filename="photo\u202egpj.exe"'), 'photogpj.exe'],
    ['attachment', undefined],
    ['attachment; filename=""', undefined],
    ['attachment; filename=".."', undefined],
    [`attachment; filename="${'a'.repeat(9000)}"`, undefined],
    [undefined, undefined],
  ])('%j names %j', (header, name) => {
    expect(nameOfDisposition(header)).toBe(name)
  })

  test('of hostile length is read quickly', () => {
    const start = performance.now()
    nameOfDisposition(`;a="${'\\'.repeat(8000)}`)
    nameOfDisposition('; a ='.repeat(1600))
    nameOfDisposition(`;${' '.repeat(8000)}`)
    expect(performance.now() - start).toBeLessThan(500)
  })
})

test('a URL names its last part', () => {
  expect(nameOfUrl('https://x.example/a/report%202026.pdf?sig=1#p')).toBe('report 2026.pdf')
  expect(nameOfUrl('https://x.example/a/')).toBeUndefined()
  expect(nameOfUrl('https://x.example/%2e%2e%2fpasswd.txt')).toBe('passwd.txt')
  expect(nameOfUrl('https://x.example/%E0%A4%A.pdf')).toBe('%E0%A4%A.pdf')
})

test('a long name keeps its ending', () => {
  expect(cleanName(`${'🎉'.repeat(150)}.pdf`)).toMatch(/^(?:🎉)+\.pdf$/u)
  expect(cleanName(`${'🎉'.repeat(150)}.pdf`)?.length).toBeLessThanOrEqual(200)
})
