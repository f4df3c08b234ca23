/** A value that is written into a statement. */
export type SqlValue =
  | string
  | number
  | null
  | Uint8Array
  | { readonly uuid: string }
  | { readonly uuids: readonly string[] }
  | { readonly integers: readonly number[] }
  | { readonly texts: readonly string[] }

/**
 * A value as a literal. For statements that go through a caller's own library, each of which has parameters of its own
 * kind, and a text in common.
 */
export function literal(value: SqlValue): string {
  if (value === null) return 'null'
  if (typeof value === 'number') return `'${value}'`
  if (typeof value === 'string') return quoted(value)
  if (value instanceof Uint8Array) return `'\\x${Buffer.from(value).toString('hex')}'::bytea`
  if ('uuid' in value) return `'${value.uuid}'::uuid`
  if ('uuids' in value) return `array[${value.uuids.map(quoted).join(', ')}]::uuid[]`
  if ('integers' in value) return `array[${value.integers.join(', ')}]::integer[]`
  return `array[${value.texts.map(quoted).join(', ')}]::text[]`
}

/** Safe whatever `standard_conforming_strings` says: a backslash makes it an escape string. */
function quoted(text: string): string {
  const doubled = text.replaceAll("'", "''")
  return doubled.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`
}
