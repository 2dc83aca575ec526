/**
 * What shows nothing: marks of direction, joiners, fillers, byte order marks and controls, which come along when people
 * copy numbers from phones and pages. White space is not among them, but Braille's empty cell is.
 */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Cf}\u2800]|(?!\s)\p{Cc}/gu

/** The text without characters that show nothing. */
export function withoutInvisible(text: string): string {
  return text.replaceAll(INVISIBLE, '')
}

/** Whether a person sees anything of the text. */
export function isVisible(text: string): boolean {
  return withoutInvisible(text).trim() !== ''
}

/** The same for texts that look the same: composed (NFC), trimmed, without what shows nothing. */
export function seenAs(text: string): string {
  return withoutInvisible(text.normalize('NFC')).trim()
}
