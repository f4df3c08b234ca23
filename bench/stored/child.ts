import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A node in a process of its own, with which one speaks in lines. */
export class Child {
  readonly process: ChildProcess
  readonly #lines: AsyncIterator<string>

  /** @param module beside this file */
  constructor(module: string, args: readonly string[]) {
    const path = fileURLToPath(new URL(module, import.meta.url))
    const process_ = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines: Interface = createInterface({ input: process_.stdout })
    this.process = process_
    this.#lines = lines[Symbol.asyncIterator]()
    process.once('exit', () => process_.kill('SIGKILL'))
  }

  /** Its next line, without the word before what it says. */
  async said(word: string): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done || !value.startsWith(word)) throw new TypeError(`A child was to say ${word}, and said ${value}.`)
    return value.slice(word.length).trim()
  }

  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`)
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' | undefined): Promise<void> {
    const exit = once(this.process, 'exit')
    if (signal) this.process.kill(signal)
    if (this.process.exitCode === null && this.process.signalCode === null) await exit
  }
}
