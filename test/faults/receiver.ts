import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { systemClock } from '../../src/kit/clock.ts'
import type { Effect } from './checker/records.ts'

/** Longer than any machine of CI is slow. */
const longMs = 180_000

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

  /** Resolves as soon as what came is so; rejects when it has not been for long, with what came last. */
  until(isSo: (effects: readonly Effect[]) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const tooLong = systemClock.setTimer(longMs, () => {
        this.#watchers.delete(look)
        const last = this.effects.slice(-3).map((effect) => JSON.stringify(effect))
        reject(new Error(`of ${this.effects.length} effects, none was the one waited for; the last: ${last.join(' ')}`))
      })
      const look = () => {
        if (!isSo(this.effects)) return
        tooLong.cancel()
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
