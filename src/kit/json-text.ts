declare global {
  interface JSON {
    /** A value that `JSON.stringify` writes as this text (ECMA-262, JSON.parse source text access). */
    rawJSON(text: string): unknown
  }
}

/** A value as JSON text; a `bigint` becomes the number that it is, where `JSON.stringify` alone would throw. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    // A replacer is called for every value: 3 µs per kB, for the few that hold a bigint.
    return JSON.stringify(value, bigintAsNumber)
  }
}

function bigintAsNumber(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? JSON.rawJSON(value.toString()) : value
}
