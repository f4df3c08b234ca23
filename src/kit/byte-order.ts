/** Which of two texts comes first by the bytes of their UTF-8, as databases compare them: negative, 0 or positive. */
export function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}
