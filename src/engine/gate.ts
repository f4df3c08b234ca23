import { HapaxError } from '../errors/hapax-error.ts'

/** Of a stopped Hapax every verb says that it is stopped, not that its closed store should be asked again. */
export class Gate {
  #isClosed = false

  close(): void {
    this.#isClosed = true
  }

  /** @throws `engine_stopped` once it is closed, whatever `ask` throws then */
  async whileOpen<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    if (this.#isClosed) throw new HapaxError('engine_stopped')
    try {
      return await ask()
    } catch (error) {
      throw this.#isClosed ? new HapaxError('engine_stopped') : error
    }
  }

  /** The same verbs, each asked through the gate. All of them answer a promise. */
  guard<Verbs extends object>(verbs: Verbs): Verbs {
    const entries = Object.entries(verbs).map(([name, verb]) => [
      name,
      (...args: unknown[]) => this.whileOpen(async () => verb(...args)),
    ])
    return Object.fromEntries(entries)
  }
}
