import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const config = fileURLToPath(new URL('./hapax.config.ts', import.meta.url))
const outside = fileURLToPath(new URL('./outside-service.ts', import.meta.url))

/** How long a process may take to stop before it is killed: more than the grace of its runs here. */
const stopMs = 10_000

/** A process of the tour, ready to serve. */
export interface Started {
  readonly pid: number
  /** What it printed when it was ready. */
  readonly line: string
}

/** The tour's processes: started one by one, stopped all, by pid. */
export class Processes {
  readonly #running = new Set<ChildProcess>()
  readonly #environment: Record<string, string | undefined>
  #stopping = false

  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = { ...process.env, HAPAX_LOG_LEVEL: 'warn', ...environment }
  }

  /** The outside service; resolves to where it listens. */
  async outsideService(): Promise<string> {
    const { line } = await this.#start([outside])
    const url = addressIn(line)
    this.#environment.TOUR_OUTSIDE_URL = url
    return url
  }

  /** Ingress and API; its workers are processes of their own. */
  async server(port: string): Promise<{ pid: number; url: string }> {
    const { pid, line } = await this.#start([main, 'serve', config, '--no-workers', '--port', port])
    return { pid, url: addressIn(line) }
  }

  async worker(): Promise<Started> {
    return this.#start([main, 'serve', config, '--no-server'])
  }

  /** `kill -9`: resolves when it is gone. */
  async kill(pid: number): Promise<void> {
    const child = [...this.#running].find((one) => one.pid === pid)
    if (!child) throw new Error(`process ${pid} is none of the tour's`)
    await this.#end(child, 'SIGKILL')
  }

  /** Gracefully, all; what does not stop in time is killed. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all([...this.#running].map((child) => this.#end(child, 'SIGTERM')))
  }

  async #end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    this.#running.delete(child)
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), stopMs)
    await gone
    clearTimeout(late)
  }

  /** In a process group of its own: Ctrl-C reaches the tour alone, which stops each of them once and gracefully. */
  async #start(args: readonly string[]): Promise<Started> {
    const child = spawn(process.execPath, args, {
      detached: true,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#running.add(child)
    const line = await new Promise<string>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => reject(new Error(`a process ended before it was ready: ${code ?? signal}`)))
      createInterface({ input: child.stdout }).once('line', resolve)
    })
    child.once('exit', (code) => {
      if (!this.#stopping && this.#running.has(child)) console.error(`process ${child.pid} ended by itself: ${code}`)
      this.#running.delete(child)
    })
    child.stdout.resume()
    return { pid: child.pid ?? 0, line }
  }
}

function addressIn(line: string): string {
  const found = /http:\/\/[\d.:]+/.exec(line)?.[0]
  if (!found) throw new Error(`no address in "${line}"`)
  return found
}
