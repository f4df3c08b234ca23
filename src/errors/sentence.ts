/** The text with a full stop, where it does not end a sentence already. */
export function asSentence(text: string): string {
  return /[.?!…]$/.test(text) ? text : `${text}.`
}
