import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Measured } from './measure.ts'
import { type Row, storedEvents } from './rows.ts'

/** What both sides of one pair measured. */
export interface Pair {
  readonly hapax: Measured
  readonly limit: Measured
}

/** How the sides are run. */
export interface PairOptions {
  /** Where files go; on the disk whose durability is meant. */
  readonly folder: string
  readonly pairs: number
  /** A hundredth of the work, to see that all runs. */
  readonly smoke: boolean
  readonly progress: (text: string) => void
}

/** Runs a row's sides in turns, so that what the machine does meanwhile falls on both. */
export class Pairs {
  readonly #options: PairOptions
  /** The file with a million finished events, once it is filled. */
  #filled: string | undefined
  #filling: Measured | undefined

  constructor(options: PairOptions) {
    this.#options = options
  }

  /** All pairs of a row, in the order in which they ran. */
  run(row: Row): Pair[] {
    const { pairs, progress } = this.#options
    if (row.once) return [this.#fill()].map((measured) => ({ hapax: measured, limit: measured }))
    if (row.filled) this.#fill()
    return Array.from({ length: pairs }, (_, index) => {
      progress(`${row.name}: pair ${index + 1} of ${pairs}`)
      // Who begins changes, too.
      if (index % 2 === 0) {
        const hapax = this.#hapax(row)
        return { hapax, limit: this.#side(row.limit, row.count) }
      }
      const limit = this.#side(row.limit, row.count)
      return { hapax: this.#hapax(row), limit }
    })
  }

  #hapax(row: Row): Measured {
    return row.filled && this.#filled
      ? this.#spawn(row.hapax, this.#filled, row.count)
      : this.#side(row.hapax, row.count)
  }

  #fill(): Measured {
    if (this.#filling) return this.#filling
    this.#options.progress(`filling a store with ${storedEvents.toLocaleString('en')} finished events`)
    this.#filled = join(this.#options.folder, 'filled.db')
    this.#filling = this.#spawn('fillHapax', this.#filled, storedEvents)
    return this.#filling
  }

  /** One side on a file of its own. */
  #side(name: string, count: number): Measured {
    const folder = mkdtempSync(join(this.#options.folder, 'side-'))
    try {
      return this.#spawn(name, join(folder, 'bench.db'), count)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  #spawn(name: string, file: string, count: number): Measured {
    const path = fileURLToPath(new URL('side.ts', import.meta.url))
    const amount = String(this.#options.smoke ? Math.ceil(count / 100) : count)
    const side = spawnSync(process.execPath, [path, name, file, amount], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (side.status !== 0) throw new TypeError(`The side ${name} ended with ${side.status ?? side.signal}.`)
    return JSON.parse(side.stdout)
  }
}
