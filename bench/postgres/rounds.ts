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
  readonly progress: (text: string) => void
}

/** A side that hangs is ended; the slowest takes a minute. */
const sideMs = 300_000

/** Runs a row's sides in turns, so that what the machine does meanwhile falls on all. */
export class Rounds {
  readonly #options: RoundOptions

  constructor(options: RoundOptions) {
    this.#options = options
  }

  /** The screening, then as many rounds as wanted of Hapax, the limit and the best peer; who begins changes. */
  async run(row: PostgresRow): Promise<RowResult> {
    const { pairs, progress, smoke } = this.#options
    const screening: Record<string, Measured> = {}
    const failed: Record<string, string> = {}
    progress(`${row.work}: screening`)
    screening.hapax = await this.#side('../postgres/hapax.ts', row, row.count, true)
    screening.limit = await this.#side('../postgres/limit.ts', row, row.count, true)
    for (const peer of this.#options.peers) {
      if (!peer.works.includes(row.work)) continue
      try {
        const measured = await this.#side(peer.module, row, row.peerCount, true)
        screening[peer.name] = measured
        progress(`${row.work}: ${peer.name} ${shown(measured)}`)
      } catch (error) {
        failed[peer.name] = error instanceof Error ? error.message : String(error)
        progress(`${row.work}: ${peer.name} failed: ${failed[peer.name]}`)
      }
    }
    const best = bestOf(row, screening)
    const peer = this.#options.peers.find(({ name }) => name === best)
    const rounds: Round[] = smoke ? [screening] : []
    for (let index = 0; !smoke && index < pairs; index++) {
      progress(`${row.work}: round ${index + 1} of ${pairs}`)
      rounds.push(await this.#round(row, peer, index))
    }
    return { row, screening, rounds, bestPeer: best, failed }
  }

  async #round(row: PostgresRow, peer: Peer | undefined, index: number): Promise<Round> {
    const sides = [
      { name: 'hapax', module: '../postgres/hapax.ts', count: row.count },
      { name: 'limit', module: '../postgres/limit.ts', count: row.count },
      ...(peer ? [{ name: peer.name, module: peer.module, count: row.peerCount }] : []),
    ]
    const turn = index % sides.length
    const round: Record<string, Measured> = {}
    for (const { name, module, count } of [...sides.slice(turn), ...sides.slice(0, turn)]) {
      round[name] = await this.#side(module, row, count, false)
    }
    return round
  }

  #side(module: string, { work }: PostgresRow, count: number, counting: boolean): Promise<Measured> {
    const { server, smoke } = this.#options
    const amount = smoke ? Math.ceil(count / 100) : count
    return server.withDatabase(counting, async (url) => {
      const path = fileURLToPath(new URL('side.ts', import.meta.url))
      const args = [path, module, work, url, String(amount), ...(server.pid === undefined ? [] : [String(server.pid)])]
      const side = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: sideMs })
      const [said, [code, signal]] = await Promise.all([text(side.stdout), once(side, 'exit')])
      if (code !== 0) throw new TypeError(`${module} ended with ${signal ?? code} in ${work}.`)
      return JSON.parse(said.trim().split('\n').at(-1) ?? '')
    })
  }
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
