/** An error's name or code where it is a plain word; anybody may put anything there, and it goes where people read it. */
export function plainWord(text: string): string {
  return /^[A-Za-z0-9_.-]{1,100}$/.test(text) ? text : 'Error'
}
