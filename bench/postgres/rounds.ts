import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Measured } from '../measure.ts'
import type { Peer } from '../peers/peers.ts'
import type { WorkName } from './contestant.ts'
import type { ProfiledWork } from './profile-page.ts'
import type { Beside, PostgresRow } from './rows.ts'
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
  /** How long something is held open, where that is measured. */
  readonly heldMs: number
  readonly progress: (text: string) => void
}

/** A side that hangs is ended; the slowest takes a minute. */
const sideMs = 300_000
/** Held for ten minutes, with its windows. */
const wholeMs = 3_600_000

const hapax = '../postgres/hapax.ts'
const tidy = '../stored/tidy.ts'

/** Runs a row's sides in turns, so that what the machine does meanwhile falls on all. */
export class Rounds {
  readonly #options: RoundOptions

  constructor(options: RoundOptions) {
    this.#options = options
  }

  /** The screening, then as many rounds as wanted of Hapax, the limit and the best peer; who begins changes. */
  async run(row: PostgresRow): Promise<RowResult> {
    if (row.beside) return this.#alone(row, row.beside)
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

  /** Hapax and the limit, or what it is measured beside, once, looked at closely. */
  async profiled({ name, work, count, beside }: PostgresRow): Promise<ProfiledWork> {
    const { server, progress } = this.#options
    progress(`${name}: a profile`)
    const profile = true
    const looked = (module: string) =>
      server.withDatabase(false, (url) => this.#spawn(module, work, url, count, { profile }))
    if (!beside) {
      return {
        work: name,
        limitName: 'by hand',
        hapax: await looked(hapax),
        limit: await looked('../postgres/limit.ts'),
      }
    }
    const url = await server.storedDatabase(false)
    const stored = await this.#spawn(hapax, work, url, count, { stored: true, profile })
    if (beside.tidy) await this.#spawn(tidy, beside.tidy, url, count, { stored: true })
    return { work: name, limitName: beside.against, hapax: stored, limit: await looked(hapax) }
  }

  /** Hapax as the row says; in the limit's place what it is measured beside. */
  async #alone(row: PostgresRow, beside: Beside): Promise<RowResult> {
    const { pairs, progress, smoke } = this.#options
    if (beside.isWhole) return this.#whole(row, beside)
    const module = beside.module ?? hapax
    const sides = {
      hapax: () => this.#ours(row, beside, module),
      limit: () =>
        this.#options.server.withDatabase(beside.counting ?? false, async (url) => {
          // The handler is known there as it is in a stored set: an event that nobody handles costs a row more.
          if (beside.tidy) await this.#spawn(tidy, 'tidy', url, 0)
          return this.#spawn(module, beside.otherWork ?? row.work, url, row.count)
        }),
    }
    const rounds: Round[] = []
    for (let index = 0; index < (smoke ? 1 : pairs); index++) {
      progress(`${row.name}: round ${index + 1} of ${pairs}`)
      const round: Record<string, Measured> = {}
      for (const name of index % 2 === 0 ? (['hapax', 'limit'] as const) : (['limit', 'hapax'] as const)) {
        round[name] = await sides[name]()
      }
      rounds.push(round)
    }
    return { row, screening: {}, rounds, bestPeer: undefined, failed: {} }
  }

  async #ours(row: PostgresRow, { place, tidy: after, counting }: Beside, module: string): Promise<Measured> {
    const { server } = this.#options
    if (place === 'empty') return this.#side(module, row, row.count, counting ?? false)
    if (place === 'held') {
      return server.withDatabase(false, (url) =>
        server.whileHeld(url, () => this.#spawn(module, row.work, url, row.count)),
      )
    }
    const url = await server.storedDatabase(counting ?? false)
    const measured = await this.#spawn(module, row.work, url, row.count, { stored: true })
    if (after) await this.#spawn(tidy, after, url, row.count, { stored: true })
    return measured
  }

  /** Both sides by one process, which says what it measured in each window. */
  async #whole(row: PostgresRow, { module = hapax }: Beside): Promise<RowResult> {
    const { server, progress } = this.#options
    progress(`${row.name}: held for ${this.#options.heldMs / 1_000} s`)
    const measured = await server.withDatabase(false, (url) =>
      this.#spawn(module, row.work, url, row.count, { timeoutMs: wholeMs }),
    )
    const rounds: Round[] = []
    for (let window = 0; `before ${window} rate` in measured; window++) {
      rounds.push({ hapax: partOf(measured, `during ${window} `), limit: partOf(measured, `before ${window} `) })
    }
    return { row, screening: {}, rounds, bestPeer: undefined, failed: {} }
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

  async #spawn(
    module: string,
    work: WorkName,
    url: string,
    count: number,
    { stored = false, profile = false, timeoutMs = sideMs } = {},
  ): Promise<Measured> {
    const { smoke, server, heldMs, pairs } = this.#options
    const path = fileURLToPath(new URL('side.ts', import.meta.url))
    const amount = String(smoke ? Math.ceil(count / 100) : count)
    const args = [path, module, work, url, amount, '--held', String(heldMs), '--pairs', String(smoke ? 1 : pairs)]
    if (server.pid !== undefined) args.push('--pid', String(server.pid))
    if (stored) args.push('--stored')
    if (profile) args.push('--profile')
    const side = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: timeoutMs })
    const [said, [code, signal]] = await Promise.all([text(side.stdout), once(side, 'exit')])
    if (code !== 0) throw new TypeError(`${module} ended with ${signal ?? code} in ${work}.`)
    return JSON.parse(said.trim().split('\n').at(-1) ?? '')
  }
}

/** What is measured under names with this beginning, without it. */
function partOf(measured: Measured, beginning: string): Measured {
  const part = Object.entries(measured).filter(([name]) => name.startsWith(beginning))
  return Object.fromEntries(part.map(([name, value]) => [name.slice(beginning.length), value]))
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
