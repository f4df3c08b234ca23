import pg from 'pg'
import { atRate, latencyFigures, latencyRate, type Measured } from '../measure.ts'
import type { Bench } from '../postgres/contestant.ts'
import { idsOf } from '../works/events.ts'

/** How many times a peer's handler has come to its end, and who waits for that. */
export class Ended {
  #count = 0
  #wanted = Number.POSITIVE_INFINITY
  #reach = () => {}

  mark(): void {
    if (++this.#count >= this.#wanted) this.#reach()
  }

  /** Resolves when there have been so many, from the first on. */
  reached(total: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = total
      this.#reach = resolve
      if (this.#count >= total) resolve()
    })
  }
}

/** Resolves when the query says zero: what ended is durable. */
export async function untilNone(bench: Bench, query: string): Promise<void> {
  while ((await bench.number(query)) > 0) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** A pool whose connections are open before anything is measured. */
export async function openPool(url: string, max: number): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: url, max })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const clients = await Promise.all(Array.from({ length: max }, () => pool.connect()))
  for (const client of clients) client.release()
  return pool
}

/** From the call of a peer's own accept to its handler's first line. */
export class Latency {
  readonly #called = new Map<string, number>()
  readonly #begun: number[] = []
  readonly #ended = new Ended()

  /** The handler's first line. */
  begin(id: string): void {
    const at = this.#called.get(id)
    if (at !== undefined) this.#begun.push(performance.now() - at)
    this.#ended.mark()
  }

  /** The row: warm-up, then so many a second. */
  async measure(bench: Bench, accept: (id: string) => Promise<unknown>): Promise<Measured> {
    const send = (ids: readonly string[]) =>
      atRate(ids.length, latencyRate, (index) => {
        const id = ids[index] ?? ''
        this.#called.set(id, performance.now())
        return accept(id)
      })
    await send(idsOf(bench.warmUp, 'warm'))
    await this.#ended.reached(bench.warmUp)
    await bench.settle()
    this.#begun.length = 0
    return bench.around(async () => {
      await send(idsOf(bench.count))
      await this.#ended.reached(bench.warmUp + bench.count)
      return latencyFigures(this.#begun, [])
    })
  }
}
