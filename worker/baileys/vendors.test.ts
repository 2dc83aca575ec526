import { describe, expect, it } from 'vitest'
import { expectMembers, expectVersions, installedVersion, VENDORS, VendorMismatch } from './vendors.ts'

describe('the vendors', () => {
  it('are installed in the versions that the patches were made for', () => {
    expect(VENDORS.map(({ name }) => installedVersion(name))).toEqual(VENDORS.map(({ version }) => version))
    expect(() => expectVersions()).not.toThrow()
    expect(installedVersion('a-package-that-nobody-has')).toBeUndefined()
  })

  it('of another version, or missing, are told in one line', () => {
    const versions: Record<string, string> = { a: '1.0.1', b: '2.0.0' }
    const wanted = [
      { name: 'a', version: '1.0.0' },
      { name: 'b', version: '2.0.0' },
      { name: 'c', version: '3.0.0' },
    ]
    expect(() => expectVersions(wanted, name => versions[name])).toThrow(
      new VendorMismatch(['a is 1.0.1, not 1.0.0', 'c is missing, not 3.0.0']),
    )
  })

  it('without a member that is replaced are refused, be it a getter or a function', () => {
    class Client {
      get isOpen() {
        return true
      }
      close() {}
      readonly send = 1
    }
    const missing = (members: string[]) => () => expectMembers({ 'the client': [Client.prototype, members] })
    expect(missing(['isOpen', 'close'])).not.toThrow()
    expect(missing(['close', 'send', 'open'])).toThrow('the client has no send; the client has no open')
    expect(() => expectMembers({ nothing: [undefined, ['a']] })).toThrow('nothing has no a')
  })
})
