import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Effect } from './checker/records.ts'

/** The outside service of the handlers: keeps what came, in its order, and answers. */
export class Receiver {
  readonly effects: Effect[] = []
  readonly #server: Server
  readonly #watchers = new Set<() => void>()

  constructor() {
    this.#server = createServer((request, response) => {
      let text = ''
      request.setEncoding('utf8')
      request.on('data', (part: string) => {
        text += part
      })
      request.on('end', () => {
        const effect: Effect = JSON.parse(text)
        this.effects.push(effect)
        for (const look of this.#watchers) look()
        response.end()
      })
    })
  }

  /** Listens; resolves to its address. */
  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  }

  /** Resolves as soon as what came is so. */
  until(isSo: (effects: readonly Effect[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isSo(this.effects)) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  async stop(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }
}
