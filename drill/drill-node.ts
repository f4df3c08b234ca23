import { createHapax, dependency, type Hapax, handler } from '../src/index.ts'
import { systemClock } from '../src/kit/clock.ts'
import { type Log, silentLog } from '../src/kit/log.ts'
import { systemRandom } from '../src/kit/random.ts'
import { openStore } from '../src/store/open-store.ts'
import { nowMs } from './clock.ts'
import { Load } from './load.ts'
import { StoreCounts } from './store-counts.ts'

/** How a node is made. */
export interface NodeSetup {
  readonly name: string
  readonly store: string
  readonly service: string
  /** Calls a second over all nodes, as it is declared; undefined: without limit. */
  readonly rate?: number
  readonly cooldownMs: number
  readonly beatMs: number
  /** Whether events with an order key go one at a time. */
  readonly ordered: boolean
}

/** A turn of the circuit, told by the node that turned it. */
export interface Turn {
  readonly atMs: number
  readonly node: string
  readonly state: string
  readonly reason: string
}

/** What became of a node's events, as the store has it. */
export interface Judged {
  readonly accepted: number
  readonly lost: number
  readonly attemptsBurnt: number
  /** Some of the lost, and how they stand. */
  readonly examples: readonly string[]
}

/** How many runs are read at once. */
const readers = 32

const warmType = 'warm'

/** A node of a drill: it accepts its part of the events, and runs what comes to its shards. */
export class DrillNode {
  readonly #setup: NodeSetup
  readonly #hapax: Hapax
  readonly #counts: StoreCounts
  readonly #turns: Turn[]
  readonly #apart: (readonly [sentMs: number, tookMs: number])[]
  readonly #warm: Set<string>
  readonly load: Load
  readonly #done: { count: number }

  private constructor(setup: NodeSetup, hapax: Hapax, seen: Seen, counts: StoreCounts) {
    this.#setup = setup
    this.#hapax = hapax
    this.#counts = counts
    this.#turns = seen.turns
    this.#apart = seen.apart
    this.#warm = seen.warm
    this.#done = seen.done
    this.load = new Load(setup.name, hapax)
  }

  static async open(setup: NodeSetup): Promise<DrillNode> {
    const seen: Seen = { turns: [], apart: [], warm: new Set(), done: { count: 0 } }
    const log = listening(setup.name, seen.turns)
    const opened = await openStore(setup.store, { clock: systemClock, random: systemRandom(), log, migrate: 'auto' })
    const counts = new StoreCounts(setup.beatMs)
    const hapax = await createHapax({
      store: counts.counted(opened),
      handlers: handlers(setup, seen),
      log,
      beat: setup.beatMs,
    })
    await hapax.start()
    return new DrillNode(setup, hapax, seen, counts)
  }

  /** What a node accepts goes to a shard of its own, where it has one: so it waits until it runs an event of its own. */
  async settled(): Promise<void> {
    for (let index = 0; !this.#warm.has(this.#setup.name); index++) {
      const id = `${this.#setup.name}_warm_${index}`
      const { runs } = await this.#hapax.accept({ source: 'shop', id, type: warmType, data: this.#setup.name })
      await this.#hapax.runs.result(runs[0]?.id ?? '')
    }
  }

  count() {
    const { accepted } = this.load
    return { accepted: accepted.size, done: this.#done.count, rssBytes: process.memoryUsage().rss }
  }

  /** As an operator would, while it is down. */
  async limit(rate: number): Promise<void> {
    const reason = 'the service comes back at half its strength'
    await this.#hapax.controls.limit('acquirer', { rate }, { reason, actor: 'drill' })
  }

  /** All that was seen here. */
  told() {
    const { beats, hurried, settlements, parked } = this.#counts
    const accepted = [...this.load.accepted].map(([id, { atMs }]) => [id, atMs] as const)
    return {
      accepted,
      refused: this.load.refused,
      apart: this.#apart,
      turns: this.#turns,
      store: { beats, hurried, settlements, parked },
    }
  }

  async judge(): Promise<Judged> {
    let [lost, attemptsBurnt] = [0, 0]
    const examples: string[] = []
    const left = [...this.load.accepted].values()
    const read = async () => {
      for (const [id, { run }] of left) {
        const { status, state } = await this.#hapax.runs.get(run)
        attemptsBurnt += state?.failuresInAll ?? 0
        if (status === 'completed') continue
        lost++
        if (examples.length < 5) examples.push(`${id}: ${status}, ${state?.reason}, ${state?.error?.message}`)
      }
    }
    await Promise.all(Array.from({ length: readers }, read))
    return { accepted: this.load.accepted.size, lost, attemptsBurnt, examples }
  }

  stop(): Promise<void> {
    return this.#hapax.stop()
  }
}

/** What the handlers and the log of a node have seen. */
interface Seen {
  readonly turns: Turn[]
  readonly apart: (readonly [sentMs: number, tookMs: number])[]
  readonly warm: Set<string>
  readonly done: { count: number }
}

function handlers({ service, rate, cooldownMs, ordered }: NodeSetup, seen: Seen) {
  const acquirer = dependency('acquirer', {
    timeout: '5s',
    // After its turn: when it is sent.
    fetch: (input, init) => fetch(input, { ...init, headers: { 'x-sent-ms': String(nowMs()) } }),
    ...(rate !== undefined && { rate }),
    circuit: { failures: 5, within: '30s', cooldown: cooldownMs },
  })
  const settle = handler(
    'settle',
    { source: 'shop', on: 'order.paid', uses: [acquirer], order: ordered },
    async ({ id }, run) => {
      await run.step('charge', async () => {
        await (await acquirer.fetch(`${service}/${id}`, { method: 'POST' })).text()
      })
      seen.done.count++
    },
  )
  const mail = handler('mail', { source: 'shop', on: 'mail' }, ({ data }) => {
    const sentMs = sentOf(data)
    seen.apart.push([sentMs, nowMs() - sentMs])
    seen.done.count++
  })
  const warm = handler('warm', { source: 'shop', on: warmType }, ({ data }) => {
    seen.warm.add(String(data))
  })
  return [settle, mail, warm]
}

function sentOf(data: unknown): number {
  return typeof data === 'object' && data !== null && 'sentMs' in data ? Number(data.sentMs) : Number.NaN
}

/** Hears how the circuit turns; what is wrong otherwise is told to people. */
function listening(node: string, turns: Turn[]): Log {
  const at = (isTold: boolean) => (message: string, fields: Parameters<Log['info']>[1]) => {
    if (message === 'circuit turned')
      turns.push({ atMs: nowMs(), node, state: String(fields?.state), reason: String(fields?.reason) })
    else if (isTold) console.error(`  ${node}: ${message} ${JSON.stringify(fields)}`)
  }
  return { ...silentLog, info: at(false), warn: at(true), error: at(true) }
}
