import { candidatesAtMost } from './signature.ts'

/** How a header like `t=1700000000,v1=ab…,v1=cd…` is built. */
export interface SignatureFieldNames {
  readonly separator: string
  readonly timestamp: string | undefined
  readonly signature: string
}

/**
 * Timestamp and signatures of a header of named fields. Fields of other names, like another version's, are skipped, and
 * so are signatures beyond the sixteenth. A timestamp given twice is none: which one was signed would be a guess.
 */
export function readSignatureFields(
  header: string,
  names: SignatureFieldNames,
): { timestamp: string | undefined; signatures: string[] } {
  const timestamps: string[] = []
  const signatures: string[] = []
  for (const field of header.split(names.separator)) {
    const equals = field.indexOf('=')
    if (equals < 0) continue
    const name = field.slice(0, equals).trim()
    const value = field.slice(equals + 1).trim()
    if (name === names.timestamp) timestamps.push(value)
    if (name === names.signature && signatures.length < candidatesAtMost) signatures.push(value)
  }
  return { timestamp: timestamps.length === 1 ? timestamps[0] : undefined, signatures }
}
