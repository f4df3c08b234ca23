import { hash } from 'node:crypto'
import type { Fingerprint, Identity } from '../../event/event.ts'

/** 32 characters of base64url are 192 bits: no two identities share them before the sun goes out. */
const hashLength = 32

/** What the ledger knows an identity by: equal only for equal tenant, source and id, byte by byte. */
export function identityHash(identity: Identity): string {
  return hash('sha256', identityText(identity), 'base64url').slice(0, hashLength)
}

/** All of the same hash, a character for each byte: a Buffer made for each digest costs 1 µs more. */
export function identityDigest(identity: Identity): string {
  return hash('sha256', identityText(identity), 'binary')
}

function identityText({ tenant, source, id }: Identity): string {
  return `${tenant.length}:${tenant}${source.length}:${source}${id}`
}

/** What the ledger knows a content by, for ids that no signature covers. Never equal to that of an identity. */
export function contentHash(place: Pick<Identity, 'tenant' | 'source'>, fingerprint: Fingerprint): string {
  const { tenant, source } = place
  const text = `content:${tenant.length}:${tenant}${source.length}:${source}${fingerprint.keyId}:${fingerprint.hash}`
  return hash('sha256', text, 'base64url').slice(0, hashLength)
}
