/** A piece of a JSON text: from `start` up to, not including, `end`. */
export interface Slice {
  readonly start: number
  readonly end: number
}

/**
 * Where the items of the array stand that fills the text. The text is valid JSON: this looks for commas and brackets,
 * and checks nothing.
 */
export function itemSlices(text: string): Slice[] {
  const slices: Slice[] = []
  let at = skipSpace(text, 0) + 1
  for (;;) {
    at = skipSpace(text, at)
    if (text[at] === ']' || at >= text.length) return slices
    const end = valueEnd(text, at)
    slices.push({ start: at, end })
    at = skipSpace(text, end)
    if (text[at] === ',') at += 1
  }
}

/** The source text of a member of the object that fills the slice, or undefined where it has none of this name. */
export function memberText(
  text: string,
  name: string,
  within: Slice = { start: 0, end: text.length },
): string | undefined {
  let at = skipSpace(text, within.start) + 1
  while (at < within.end) {
    at = skipSpace(text, at)
    if (text[at] === '}') return undefined
    const keyEnd = valueEnd(text, at)
    const key: unknown = JSON.parse(text.slice(at, keyEnd))
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = valueEnd(text, start)
    if (key === name) return text.slice(start, end)
    at = skipSpace(text, end)
    if (text[at] === ',') at += 1
  }
  return undefined
}

function skipSpace(text: string, from: number): number {
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== 32 && code !== 9 && code !== 10 && code !== 13) return at
    at += 1
  }
}

/** Past the value that begins here. Counts brackets; what stands in strings does not count. */
function valueEnd(text: string, from: number): number {
  let depth = 0
  let at = from
  while (at < text.length) {
    const character = text[at]
    if (character === '"') {
      at = stringEnd(text, at)
      if (depth === 0) return at
      continue
    }
    if (character === '{' || character === '[') depth += 1
    else if (character === '}' || character === ']') {
      if (depth === 0) return at
      depth -= 1
      if (depth === 0) return at + 1
    } else if (depth === 0 && (character === ',' || character === ':' || isSpace(character))) return at
    at += 1
  }
  return at
}

function stringEnd(text: string, from: number): number {
  let at = from + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t'
}
