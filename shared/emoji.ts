/**
 * One emoji, also as keyboards send some that Unicode's list has in another form: without the selector of colour, or with a
 * skin tone that it names elsewhere.
 */
const EMOJI =
  /^(?:\p{RGI_Emoji}|\p{Extended_Pictographic}\ufe0f?\p{EMod}?(?:\u200d\p{Extended_Pictographic}\ufe0f?\p{EMod}?)*|\p{RI}{2}|[0-9#*]\ufe0f?\u20e3)$/v

/** Whether a text is one emoji and nothing else. */
export function isEmoji(text: string): boolean {
  return EMOJI.test(text)
}
