import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Measured } from '../measure.ts'
import type { Peer } from '../peers/peers.ts'
import type { PostgresRow } from './rows.ts'
import type { BenchServer } from './server.ts'

/** What the sides of one round measured, by their names: `hapax`, `limit`, and peers'. */
export type Round = Readonly<Record<string, Measured>>

/** All rounds of one row. */
export interface RowResult {
  readonly row: PostgresRow
  /** Every side once, statements counted: chooses the best peer, and is compared with nothing. */
  readonly screening: Round
  readonly rounds: readonly Round[]
  /** Of the peers that do this work the one that was best in the screening. */
  readonly bestPeer: string | undefined
  /** Peers that failed, and why. */
  readonly failed: Readonly<Record<string, string>>
}

/** How the rounds are run. */
export interface RoundOptions {
  readonly server: BenchServer
  readonly peers: readonly Peer[]
  readonly pairs: number
  /** A hundredth of the work, one round. */
  readonly smoke: boolean
  /** Finished events of the stored rows. */
  readonly storedEvents: number
  readonly progress: (text: string) => void
}

/** A side that hangs is ended; the slowest takes a minute. */
const sideMs = 300_000
const fillMs = 7_200_000

const hapax = '../postgres/hapax.ts'

/** Runs a row's sides in turns, so that what the machine does meanwhile falls on all. */
export class Rounds {
  readonly #options: RoundOptions
  /** The URL of the database of the stored rows, once it is filled. */
  #stored: string | undefined

  constructor(options: RoundOptions) {
    this.#options = options
  }

  /** The screening, then as many rounds as wanted of Hapax, the limit and the best peer; who begins changes. */
  async run(row: PostgresRow): Promise<RowResult> {
    if (row.beside) return this.#alone(row)
    const { pairs, progress, smoke } = this.#options
    const screening: Record<string, Measured> = {}
    const failed: Record<string, string> = {}
    progress(`${row.name}: screening`)
    screening.hapax = await this.#side(hapax, row, row.count, true)
    screening.limit = await this.#side('../postgres/limit.ts', row, row.count, true)
    for (const peer of this.#options.peers) {
      if (!peer.works.includes(row.work)) continue
      try {
        const measured = await this.#side(peer.module, row, countOf(peer, row), true)
        screening[peer.name] = measured
        progress(`${row.name}: ${peer.name} ${shown(measured)}`)
      } catch (error) {
        failed[peer.name] = error instanceof Error ? error.message : String(error)
        progress(`${row.name}: ${peer.name} failed: ${failed[peer.name]}`)
      }
    }
    const best = bestOf(row, screening)
    const peer = this.#options.peers.find(({ name }) => name === best)
    const rounds: Round[] = smoke ? [screening] : []
    for (let index = 0; !smoke && index < pairs; index++) {
      progress(`${row.name}: round ${index + 1} of ${pairs}`)
      rounds.push(await this.#round(row, peer, index))
    }
    return { row, screening, rounds, bestPeer: best, failed }
  }

  /** Hapax as the row says; in the limit's place in an empty database, with nobody beside it. */
  async #alone(row: PostgresRow): Promise<RowResult> {
    const { server, pairs, progress, smoke } = this.#options
    const stored = row.beside === 'stored' ? await this.#fill() : undefined
    const ours = () =>
      stored === undefined
        ? server.withDatabase(false, (url) => server.whileHeld(url, () => this.#spawn(hapax, row.work, url, row.count)))
        : this.#spawn(hapax, row.work, stored, row.count)
    const rounds: Round[] = []
    for (let index = 0; index < (smoke ? 1 : pairs); index++) {
      progress(`${row.name}: round ${index + 1} of ${pairs}`)
      const round: Record<string, Measured> = {}
      for (const name of index % 2 === 0 ? ['hapax', 'limit'] : ['limit', 'hapax']) {
        round[name] = name === 'hapax' ? await ours() : await this.#side(hapax, row, row.count, false)
      }
      rounds.push(round)
    }
    return { row, screening: {}, rounds, bestPeer: undefined, failed: {} }
  }

  /** The database of the stored rows: filled once. */
  async #fill(): Promise<string> {
    if (this.#stored) return this.#stored
    const { server, progress, storedEvents } = this.#options
    progress(`filling a database with ${storedEvents.toLocaleString('en')} finished events and a tenth as many waiting`)
    const url = await server.keptDatabase()
    const { rate } = await this.#spawn('../postgres/fill.ts', 'whole life', url, storedEvents, fillMs)
    progress(`filled, ${rate?.toFixed(0)} /s`)
    this.#stored = url
    return url
  }

  async #round(row: PostgresRow, peer: Peer | undefined, index: number): Promise<Round> {
    const sides = [
      { name: 'hapax', module: hapax, count: row.count },
      { name: 'limit', module: '../postgres/limit.ts', count: row.count },
      ...(peer ? [{ name: peer.name, module: peer.module, count: countOf(peer, row) }] : []),
    ]
    const turn = index % sides.length
    const round: Record<string, Measured> = {}
    for (const { name, module, count } of [...sides.slice(turn), ...sides.slice(0, turn)]) {
      round[name] = await this.#side(module, row, count, false)
    }
    return round
  }

  /** One side in a database of its own. */
  #side(module: string, { work }: PostgresRow, count: number, counting: boolean): Promise<Measured> {
    return this.#options.server.withDatabase(counting, (url) => this.#spawn(module, work, url, count))
  }

  async #spawn(module: string, work: string, url: string, count: number, timeout = sideMs): Promise<Measured> {
    const { smoke, server } = this.#options
    const path = fileURLToPath(new URL('side.ts', import.meta.url))
    const amount = String(smoke ? Math.ceil(count / 100) : count)
    const args = [path, module, work, url, amount, ...(server.pid === undefined ? [] : [String(server.pid)])]
    const side = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout })
    const [said, [code, signal]] = await Promise.all([text(side.stdout), once(side, 'exit')])
    if (code !== 0) throw new TypeError(`${module} ended with ${signal ?? code} in ${work}.`)
    return JSON.parse(said.trim().split('\n').at(-1) ?? '')
  }
}

function countOf({ counts }: Peer, { work, peerCount }: PostgresRow): number {
  return counts?.[work] ?? peerCount
}

function shown(measured: Measured): string {
  const { rate, beginP50Ms, beginP99Ms } = measured
  return rate === undefined ? `${beginP50Ms?.toFixed(1)} / ${beginP99Ms?.toFixed(1)} ms` : `${rate.toFixed(0)} /s`
}

/** The fastest; of times the shortest. */
function bestOf({ figures: [figure] }: PostgresRow, screening: Round): string | undefined {
  if (!figure) return undefined
  const value = (name: string) => screening[name]?.[figure.measured] ?? Number.NaN
  const better = (one: string, other: string) =>
    figure.unit === '/s' ? value(other) - value(one) : value(one) - value(other)
  return Object.keys(screening)
    .filter((name) => name !== 'hapax' && name !== 'limit')
    .sort(better)[0]
}
