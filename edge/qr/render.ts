import { encode, renderSVG, renderUnicodeCompact } from 'uqr'
import { encodePng } from './png.ts'

/** Modules of white around the code: scanners need four (ISO/IEC 18004). */
const BORDER = 4
const PNG_SCALE = 8

/** An SVG image of the code. */
export function qrSvg(text: string): string {
  return renderSVG(text, { border: BORDER, ecc: 'M' })
}

/** A PNG image of the code. */
export function qrPng(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return encodePng(encode(text, { border: BORDER, ecc: 'M' }).data, PNG_SCALE)
}

/** The code in half blocks, white on a dark terminal, to be scanned from there. */
export function qrText(text: string): string {
  return `${renderUnicodeCompact(text, { border: 2, ecc: 'L' })}\n`
}
