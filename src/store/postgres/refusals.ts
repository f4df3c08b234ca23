import { sqlState } from './connection.ts'

const rootCure = 'name the root that signed it: ?sslmode=verify-full&sslrootcert=/path/to/root.crt'

/** What Node says of a certificate that it cannot follow to a root it knows. */
const untrusted = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
])

/**
 * Why a store cannot be opened until somebody changes something, and what; undefined where asking again may do. Nothing of
 * the URL is repeated.
 */
export function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { message } = error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (untrusted.has(code)) return `the server's certificate is not trusted (${code}): ${rootCure}`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `${withoutEnd(message)}: connect by a name that is in the server's certificate`
  }
  if (code.startsWith('CERT_')) return `the server's certificate is not valid (${code}): replace it, or mend a clock`
  if (code === 'ENOENT' && 'syscall' in error && error.syscall === 'open') {
    return `${message}: the file that sslrootcert, sslcert or sslkey names`
  }
  if (message === 'The server does not support SSL connections') {
    return 'the server has no TLS: set ssl = on there, or take sslmode out of the URL'
  }
  const state = sqlState(error)
  if (state === '28000' && message.includes('no encryption'))
    return `${message}: the server takes TLS alone, ${rootCure}`
  if (state === '28000' || state === '28P01') return `${message}: check user and password of the URL, and pg_hba.conf`
  if (state === '3D000') return `${message}: create it, or name another in the URL`
  return undefined
}

function withoutEnd(text: string): string {
  return text.replace(/[:. ]+$/, '')
}
