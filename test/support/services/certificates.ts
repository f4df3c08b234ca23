import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unprivileged } from './postgres.ts'

/** A root of its own, and a server's certificate for localhost that it signed, as files. */
export interface Certificates {
  readonly root: string
  readonly certificate: string
  readonly key: string
}

/** Why none can be made; undefined: they can. */
export function certificatesUnavailable(): string | undefined {
  return spawnSync('openssl', ['version']).status === 0 ? undefined : 'the program openssl is not installed'
}

/** Makes them in a folder, for this day. */
export function makeCertificates(folder: string, name: string): Certificates {
  const at = (end: string) => join(folder, `${name}-${end}`)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const rootSubject = ['-subj', `/CN=${name} root`, '-days', '2']
  openssl('req', '-x509', ...newKey, ...rootSubject, '-keyout', at('root.key'), '-out', at('root.crt'))
  openssl('req', ...newKey, '-subj', '/CN=localhost', '-keyout', at('server.key'), '-out', at('server.csr'))
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost\n')
  const signed = ['-in', at('server.csr'), '-out', at('server.crt'), '-extfile', at('names'), '-days', '2']
  openssl('x509', '-req', ...signed, '-CA', at('root.crt'), '-CAkey', at('root.key'), '-CAcreateserial')
  // The server takes no key that others may read.
  chmodSync(at('server.key'), 0o600)
  const user = unprivileged()
  if (user) for (const end of ['server.key', 'server.crt']) chownSync(at(end), user.uid, user.gid)
  return { root: at('root.crt'), certificate: at('server.crt'), key: at('server.key') }
}
