import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { CrashStore } from './crash-stores.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const config = fileURLToPath(new URL('./hapax.config.ts', import.meta.url))

/** One `hapax serve` on a store that others share, which can be killed, stopped, frozen and started again. */
export class Node {
  readonly #args: readonly string[]
  readonly #environment: Readonly<Record<string, string>>
  #child: ChildProcess | undefined
  #ready: Promise<void> = Promise.resolve()

  /** @param args of `serve`, like `--no-server` */
  constructor(folder: string, store: CrashStore, args: readonly string[]) {
    this.#args = ['serve', config, '--store', store.url, ...args]
    this.#environment = { ...store.environment, CRASH_EFFECTS: `${folder}/effects.log`, HAPAX_LOG_LEVEL: 'error' }
  }

  /** Starts it; resolves when it is ready, or is gone. */
  start(): Promise<void> {
    const child = spawn(process.execPath, [main, ...this.#args], {
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    this.#ready = new Promise<void>((resolve) => {
      createInterface({ input: child.stdout }).once('line', () => resolve())
      child.once('exit', () => resolve())
    })
    return this.#ready
  }

  /** Resolves when the last start is ready, or gone. */
  get ready(): Promise<void> {
    return this.#ready
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Sends a signal; what was frozen or runs goes on, or not. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Ends it by this signal; resolves to its exit code, null if the signal ended it. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
    return child.exitCode
  }
}

/** A port of loopback that nobody listens on, so that a server can come back to it. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
