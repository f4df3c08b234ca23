import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { createClient } from '../../src/client/http-client.ts'
import { isTerminal, runStatuses } from '../../src/event/run-status.ts'
import { sleep, systemClock } from '../../src/kit/clock.ts'
import type { Effect, OnRecord } from './checker/records.ts'
import { Receiver } from './receiver.ts'

/** Longer than any machine of CI is slow; nothing waits for it that works. */
const healMs = 90_000
const lookMs = 200
const page = 200

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** How one server is started. */
export interface ServerOptions {
  readonly store: string
  readonly receiver: string
  readonly port?: number
  /** Of `serve`. */
  readonly args?: readonly string[]
  /** Of Node, before the program. */
  readonly node?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** One `hapax serve`, in a process of its own. */
export class Server {
  readonly process: ChildProcess
  /** What it wrote on standard error. */
  errors = ''
  readonly #listening: Promise<string>
  #isEnded = false

  constructor({ store, receiver, port = 0, args = [], node = [], environment = {} }: ServerOptions) {
    const program = [path('../../src/cli/main.ts'), 'serve', path('./hapax.config.ts')]
    this.process = spawn(process.execPath, [...node, ...program, '--store', store, '--port', String(port), ...args], {
      env: { ...process.env, HAPAX_LOG_LEVEL: 'error', FAULTS_RECEIVER: receiver, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
    this.#listening = new Promise((resolve, reject) => {
      const { stdout } = this.process
      if (stdout) createInterface({ input: stdout }).once('line', resolve)
      this.process.once('exit', (code) => reject(new Error(`the server ended by ${code}: ${this.errors}`)))
    })
    this.#listening.catch(() => undefined)
  }

  /** Resolves to its address when it is ready. */
  async url(): Promise<string> {
    const line = await this.#listening
    return /http:\/\/[^\s"]+/.exec(line)?.[0].replace(/\/$/, '') ?? line
  }

  get alive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null
  }

  /** Whether it ended although nobody ended it. */
  get crashed(): boolean {
    return !this.alive && !this.#isEnded
  }

  /** Ends it by this signal; resolves to its exit code. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<number | null> {
    this.#isEnded = true
    if (!this.alive) return this.process.exitCode
    const exited = once(this.process, 'exit')
    this.process.kill(signal)
    await exited
    return this.process.exitCode
  }
}

/**
 * Stops the server's process, not within a commit: a process stopped there keeps the file's write lock, and nobody on the
 * machine writes until it goes on.
 *
 * @param isApt what must be so of the moment, too
 */
export async function freeze(server: Server, file: string, isApt: () => boolean): Promise<void> {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    for (;;) {
      server.process.kill('SIGSTOP')
      while (!isStopped(server.process.pid)) await sleep(systemClock, 1)
      try {
        database.exec('begin immediate; rollback')
        if (isApt()) return
      } catch {
        // It holds the lock.
      }
      server.process.kill('SIGCONT')
      await sleep(systemClock, 1)
    }
  } finally {
    database.close()
  }
}

/**
 * Whether all of its threads stand still: the signal's sender does not wait for them, and one that was within a system call may
 * come out of it with the lock. Where nothing tells (no `/proc`), they are taken to.
 */
function isStopped(pid: number | undefined): boolean {
  const folder = `/proc/${pid}/task`
  if (!existsSync(folder)) return true
  return readdirSync(folder).every((thread) => /\) [Tt] /.test(readFileSync(`${folder}/${thread}/stat`, 'utf8')))
}

/** The events whose runs this process has begun and nobody has ended, as the outside service sees them. */
export function inFlight(effects: readonly Effect[], pid: number | undefined): Set<string> {
  const ended = new Set(effects.filter(({ what }) => what === 'end').map(({ id }) => id))
  return new Set(effects.filter((effect) => effect.pid === pid && !ended.has(effect.id)).map(({ id }) => id))
}

/** What a scenario works with; all of it is gone when the scenario ends. */
export interface Lab {
  readonly folder: string
  readonly receiver: Receiver
  serve(options?: Partial<ServerOptions>): Server
  /** Undone at the end, the last first. */
  cleanUp(task: () => unknown): void
}

/** Runs a scenario in a folder and with a receiver of its own. */
export async function inLab<Result>(scenario: (lab: Lab) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-faults-'))
  const receiver = new Receiver()
  const address = await receiver.start()
  const servers: Server[] = []
  const tasks: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true }), () => receiver.stop()]
  try {
    return await scenario({
      folder,
      receiver,
      serve(options = {}) {
        const server = new Server({ store: `sqlite:${folder}/hapax.db`, receiver: address, ...options })
        servers.push(server)
        tasks.push(() => server.end())
        return server
      },
      cleanUp: (task) => tasks.push(task),
    })
  } catch (error) {
    for (const { crashed, errors } of servers) if (crashed) console.error(`a server crashed: ${errors}`)
    throw error
  } finally {
    for (const task of tasks.reverse()) await task()
  }
}

/** Waits until every run has ended, or for long, and reads back what is on record. */
export async function readBack(url: string): Promise<OnRecord[]> {
  const client = createClient({ url })
  const until = systemClock.monotonicMs() + healMs
  for (;;) {
    const { standing } = await client.controls.counts()
    const late = systemClock.monotonicMs() > until
    if (late || !runStatuses.some((status) => !isTerminal(status) && (standing[status] ?? 0) > 0)) {
      const record = await read(url)
      // A run that never settled is in no count.
      if (late || record.every(({ status }) => status !== undefined)) return record
    }
    await sleep(systemClock, lookMs)
  }
}

async function read(url: string): Promise<OnRecord[]> {
  const client = createClient({ url })
  const runs = new Map<string, { status: string; result?: string }>()
  for (let next: string | undefined = ''; next !== undefined; ) {
    const found = await client.runs.list({ limit: page, ...(next === '' ? {} : { cursor: next }) })
    for (const { run, state } of found.runs) {
      runs.set(run.event, { status: state.status, ...(state.result === undefined ? {} : { result: state.result }) })
    }
    next = found.next
  }
  const record: OnRecord[] = []
  for (let next: string | undefined = ''; next !== undefined; ) {
    const found = await client.events.list({ limit: page, ...(next === '' ? {} : { cursor: next }) })
    for (const { id, key, tenant } of found.events) record.push({ id, eventKey: key, tenant, ...runs.get(key) })
    next = found.next
  }
  return record
}

/** The seed of a test's choices; its instants are the machine's. */
export const seed = Number.parseInt(process.env.HAPAX_TEST_SEED ?? '', 10) || systemClock.now() % 1_000_000

export const isLong = Boolean(process.env.HAPAX_TEST_LONG)
