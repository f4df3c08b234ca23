import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A node in a process of its own, with which one speaks in lines. It ends when its input does, so at the latest with us. */
export class Child {
  readonly #process: ChildProcess
  readonly #unread: string[] = []
  #listener: ((line: string) => void) | undefined

  /** @param module beside this file */
  constructor(module: string, args: readonly string[]) {
    const path = fileURLToPath(new URL(module, import.meta.url))
    const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (this.#listener) this.#listener(line)
      else this.#unread.push(line)
    })
    this.#process = child
  }

  /** From now on what it says goes there; first what nobody has heard yet. */
  hear(listener: (line: string) => void): void {
    this.#listener = listener
    for (const line of this.#unread.splice(0)) listener(line)
  }

  /** What follows the word when it says it; what it says before is passed over. */
  async said(word: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const gone = () => reject(new TypeError(`A child ended before it said ${word}.`))
      this.#process.once('exit', gone)
      const unread = this.#unread.splice(0)
      const look = (line: string) => {
        if (!line.startsWith(word)) return
        this.#listener = undefined
        this.#process.off('exit', gone)
        resolve(line.slice(word.length).trim())
      }
      this.#listener = look
      for (const [index, line] of unread.entries()) {
        look(line)
        if (this.#listener === look) continue
        this.#unread.push(...unread.slice(index + 1))
        return
      }
    })
  }

  tell(line: string): void {
    this.#process.stdin?.write(`${line}\n`)
  }

  /** @param signal default: none, it ends by itself */
  async end(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const exit = once(this.#process, 'exit')
    if (signal) this.#process.kill(signal)
    if (this.#process.exitCode === null && this.#process.signalCode === null) await exit
  }
}
