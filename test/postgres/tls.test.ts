import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kit/clock.ts'
import { silentLog } from '../../src/kit/log.ts'
import type { Abilities } from '../../src/store/abilities.ts'
import { openStore } from '../../src/store/open-store.ts'
import { postgresStore, readUrl } from '../../src/store/postgres/index.ts'
import type { Store } from '../../src/store/store.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { storeContract } from '../../src/testing/store-contract/index.ts'
import { random } from '../support/postgres-work.ts'
import { type Certificates, certificatesUnavailable, makeCertificates } from '../support/services/certificates.ts'
import { type PostgresServer, startPostgres } from '../support/services/postgres.ts'

const unavailable = certificatesUnavailable()
const options = { clock: systemClock, random, log: silentLog, migrate: 'auto' } as const
const rangeMs = 60_000
const abilities: Abilities = {
  acceptSpans: true,
  transaction: true,
  manyNodes: true,
  survivesRestart: true,
  retention: 'ranges',
}
const access = [
  'local all all trust',
  'hostssl all hapax 127.0.0.1/32 trust',
  'hostssl all app 127.0.0.1/32 scram-sha-256',
]

const title = `a server that takes TLS alone${unavailable === undefined ? '' : ` (unavailable: ${unavailable})`}`

describe.skipIf(unavailable !== undefined)(title, () => {
  let folder: string
  let own: Certificates
  let other: Certificates
  let server: PostgresServer
  let plain: PostgresServer

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hapax-tls-'))
    chmodSync(folder, 0o755)
    own = makeCertificates(folder, 'own')
    other = makeCertificates(folder, 'other')
    const tls = { ssl: 'on', ssl_cert_file: own.certificate, ssl_key_file: own.key }
    server = await startPostgres({ from: 'registry', always: true, settings: { ...tls, fsync: 'off' }, access })
    plain = await startPostgres({ from: 'registry', always: true, settings: { fsync: 'off' } })
  })

  afterAll(async () => {
    await Promise.all([server?.stop(), plain?.stop()])
    rmSync(folder, { recursive: true })
  })

  interface Place {
    readonly user?: string
    readonly host?: string
    readonly database?: string
    readonly at?: PostgresServer
  }

  function urlOf(
    query: string,
    { user = 'hapax:s3cret', host = 'localhost', database = 'postgres', at = server }: Place = {},
  ) {
    return `postgres://${user}@${host}:${new URL(at.url).port}/${database}?schema=tls&${query}`
  }

  async function refusal(url: string): Promise<string> {
    const error: unknown = await openStore(url, options).then(
      (store) => store.close(),
      (thrown) => thrown,
    )
    expect(error).toMatchObject({ code: 'store_refused' })
    expect(String(error)).not.toContain('s3cret')
    return String(error)
  }

  it('takes a client that names the root of its certificate, and serves it in TLS', async () => {
    const store = await openStore(urlOf(`sslmode=verify-full&sslrootcert=${own.root}`), options)
    expect(await store.registry()).toMatchObject({ version: 0 })
    expect(store.abilities).toEqual(abilities)
    await store.close()
  })

  it('is not trusted by another root or none, and the refusal says how to name one', async () => {
    const cure = '(UNABLE_TO_VERIFY_LEAF_SIGNATURE): name the root that signed it: ?sslmode=verify-full&sslrootcert='
    expect(await refusal(urlOf(`sslmode=verify-full&sslrootcert=${other.root}`))).toContain(cure)
    expect(await refusal(urlOf('sslmode=verify-full'))).toContain(cure)
  })

  it('is not taken for another host than its certificate names', async () => {
    const url = urlOf(`sslmode=verify-full&sslrootcert=${own.root}`, { host: '127.0.0.1' })
    expect(await refusal(url)).toContain("connect by a name that is in the server's certificate")
  })

  it('turns away plain text, and the refusal says how to ask for TLS', async () => {
    expect(await refusal(urlOf(''))).toContain('the server takes TLS alone, name the root that signed it: ?sslmode=')
  })

  it('names what is wrong with a file, a password, a database', async () => {
    const trusted = `sslmode=verify-full&sslrootcert=${own.root}`
    const missing = await refusal(urlOf('sslmode=verify-full&sslrootcert=/nowhere/root.crt'))
    expect(missing).toContain("open '/nowhere/root.crt': the file that sslrootcert, sslcert or sslkey names")
    expect(await refusal(urlOf(trusted, { user: 'app:s3cret' }))).toContain('check user and password of the URL')
    expect(await refusal(urlOf(trusted, { database: 'none' }))).toContain('create it, or name another in the URL')
  })

  it('is told from one without TLS', async () => {
    const url = urlOf(`sslmode=verify-full&sslrootcert=${own.root}`, { at: plain })
    expect(await refusal(url)).toContain('the server has no TLS: set ssl = on there')
  })

  // What TLS changes lies below statements: one case of each group is enough of the suite.
  const held = storeContract.filter(({ needs }) => needs?.(abilities) === undefined)
  const sample = held.filter(({ group }, index) => held.findIndex((one) => one.group === group) === index)

  it.each(sample)('conformance, one of a group: $group: $name', async ({ run }) => {
    const clock = new FakeClock()
    const schema = `tls_${sample.findIndex((one) => one.run === run)}`
    const { url } = readUrl(urlOf(`sslmode=verify-full&sslrootcert=${own.root}`))
    const stores: Store[] = []
    const open = async () => {
      const now = () => clock.now()
      const store = await postgresStore({
        url,
        schema,
        clock,
        random,
        now,
        shards: 4,
        rangeMs,
        connections: 3,
        migrate: 'auto',
      })
      stores.push(store)
      return store
    }
    const closeAll = () => Promise.all(stores.splice(0).map((store) => store.close()))
    await run({
      open,
      restart: async () => {
        await closeAll()
        return open()
      },
      advance: (ms) => clock.advance(ms),
      shards: 4,
      leaseMs: 1_000,
      rangeMs,
      seed: 1,
    })
    await closeAll()
  })
})
