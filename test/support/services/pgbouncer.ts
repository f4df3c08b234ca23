import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { debianPackageUnavailable, freePort, unprivileged } from './postgres.ts'

/** A pooler before a server. */
export interface Pooler {
  /** As the server's, by TCP. */
  readonly url: string
  readonly stop: () => Promise<void>
}

/** What a pooler is started with. */
export interface PoolerSource {
  /** The server's URL, by TCP. */
  readonly before: string
  /** Named statements that it keeps for each of the server's connections; 0: none. */
  readonly statements: number
  /** Default: a free one. */
  readonly port?: number
}

const program = '/usr/sbin/pgbouncer'

/** Why PgBouncer cannot be had; undefined: it is there, or was just installed. */
export function poolerUnavailable(): string | undefined {
  return debianPackageUnavailable('pgbouncer', () => existsSync(program))
}

/** The version that is there, as `1.18`. */
export function poolerVersion(): string {
  return /PgBouncer (\d+\.\d+)/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[1] ?? ''
}

/** Why the PgBouncer that is there keeps no named statements; undefined: it does where it is told to. */
export function statementsUnavailable(): string | undefined {
  const version = poolerVersion()
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 1 || minor >= 21 ? undefined : `PgBouncer ${version} keeps no named statements: 1.21 is the first`
}

/**
 * Starts a PgBouncer in transaction mode on a free port of the loopback. Each transaction goes to the connection of the
 * server that rested longest, so that nothing is found by chance where it was left.
 */
export async function startPooler({ before, statements, port: given }: PoolerSource): Promise<Pooler> {
  const server = new URL(before)
  const folder = mkdtempSync(join(tmpdir(), 'hapax-pgbouncer-'))
  const user = unprivileged()
  if (user) chownSync(folder, user.uid, user.gid)
  const port = given ?? (await freePort())
  const password = server.password === '' ? '' : ` password=${decodeURIComponent(server.password)}`
  const settings = [
    '[databases]',
    `* = host=${server.hostname} port=${server.port || 5432} user=${decodeURIComponent(server.username)}${password}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    `unix_socket_dir = ${folder}`,
    'auth_type = any',
    'pool_mode = transaction',
    'server_round_robin = 1',
    'max_client_conn = 500',
    'default_pool_size = 20',
    ...(statementsUnavailable() === undefined ? [`max_prepared_statements = ${statements}`] : []),
  ]
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(file, `${settings.join('\n')}\n`)
  if (user) chownSync(file, user.uid, user.gid)
  const child = spawn(program, [file], { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const stop = async () => {
    await ended(child)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await ready(child)
  } catch (error) {
    await stop()
    throw error
  }
  const url = new URL(before)
  url.hostname = '127.0.0.1'
  url.port = String(port)
  return { url: url.toString(), stop }
}

async function ready(child: ChildProcess): Promise<void> {
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`PgBouncer did not start: ${said}`)))
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-10_000)
      if (said.includes('process up')) resolve()
    })
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  // It keeps nothing; and which signal ends it at once depends on its version.
  child.kill('SIGKILL')
  await exit
}
