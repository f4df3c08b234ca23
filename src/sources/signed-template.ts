/** A template of what is signed, as its pieces: literal text, or a name in braces. */
export type SignedTemplate = readonly string[]

/** What the names of a template stand for. */
export interface SignedValues {
  readonly body: Uint8Array
  readonly timestamp: string | undefined
  readonly id: string | undefined
  readonly url: string | undefined
  readonly headers: Readonly<Record<string, string | undefined>>
}

/** Reads a template like `v0:{timestamp}:{body}`; what is wrong with it goes to `problems`. */
export function signedTemplate(text: string, problems: string[]): SignedTemplate {
  const pieces = String(text)
    .split(/(\{[^{}]*\})/)
    .filter((piece) => piece !== '')
    .map((piece) => (piece.startsWith('{header:') ? piece.toLowerCase() : piece))
  for (const piece of pieces) {
    if (piece.startsWith('{') && !/^\{(?:body|timestamp|id|url|header:[a-z0-9-]+)\}$/.test(piece)) {
      problems.push(`content: ${piece} is not known; known are {body}, {timestamp}, {id}, {url}, {header:name}`)
    }
  }
  if (pieces.filter((piece) => piece === '{body}').length !== 1) {
    problems.push('content: {body} must be in it once; what is not signed proves nothing')
  }
  return pieces
}

/** What is signed, in pieces; undefined where the request lacks one. */
export function signedParts(template: SignedTemplate, values: SignedValues): (string | Uint8Array)[] | undefined {
  const parts: (string | Uint8Array)[] = []
  for (const piece of template) {
    const part = piece.startsWith('{') ? partOf(piece.slice(1, -1), values) : piece
    if (part === undefined) return undefined
    parts.push(part)
  }
  return parts
}

function partOf(name: string, values: SignedValues): string | Uint8Array | undefined {
  if (name === 'body') return values.body
  if (name === 'timestamp') return values.timestamp
  if (name === 'id') return values.id
  if (name === 'url') return values.url
  return values.headers[name.slice('header:'.length)]
}
