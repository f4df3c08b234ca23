import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { numberIn, textIn } from '../sql/columns.ts'
import { Bloom, type Spread, spreadOf } from './bloom.ts'

/** What the ledger has of an identity. */
export interface Known {
  readonly position: number
  readonly key: string
  readonly acceptedAt: number
  readonly fingerprintKey: number
  readonly fingerprint: string
  /** Its event is in the journal; false: retention has dropped it. */
  readonly inJournal: boolean
}

/** A sealed generation: its rows are in the table, its filter in memory. */
interface Sealed {
  readonly generation: number
  readonly bloom: Bloom
}

/** A generation that is being written from the memory above the watermark. */
export interface Seal {
  readonly generation: number
  readonly upTo: number
}

/**
 * The identity ledger: of all identities seen, which event was first.
 *
 * The newest generation is in memory alone (identity hash → position) and is rebuilt from the event rows above the
 * watermark; `compaction.ts` writes it to the table in sorted order, a slice per commit. A lookup asks the memory, then
 * the filters, then the table: for a new identity it touches no page.
 *
 * Must be used inside a write transaction, after {@link refresh}: only then nobody else writes.
 */
export class Ledger {
  /** Positions above every seal under way. */
  recent = new Map<string, number>()
  /** What the seal under way takes: up to its `upTo`. */
  frozen = new Map<string, number>()
  seal: Seal | undefined
  /** Every event up to here is in memory or below the watermark. */
  readTo = 0
  watermark = 0
  #sealed: Sealed[] = []
  /** Every position in `recent` is higher. */
  #recentAbove = 0
  readonly #rows: StatementSync
  readonly #eventKnown: StatementSync
  readonly #originKnown: StatementSync
  readonly #probe: StatementSync
  readonly #generations: StatementSync
  readonly #bloom: StatementSync
  readonly #progress: StatementSync

  constructor(database: DatabaseSync) {
    this.#rows = database.prepare(
      `select position, identity, content from event where position > ?1
       union all select position, identity, content from origin where position > ?1 order by position`,
    )
    const known = 'select key, accepted_at, fingerprint_key, fingerprint from'
    this.#eventKnown = database.prepare(`${known} event where position = ?`)
    this.#originKnown = database.prepare(`${known} origin where position = ?`)
    this.#probe = database.prepare('select position from ledger where generation = ? and identity = ?')
    this.#generations = database.prepare('select generation, state, up_to from ledger_generation order by up_to desc')
    this.#bloom = database.prepare('select bloom from ledger_generation where generation = ?')
    this.#progress = database.prepare('select watermark from progress')
  }

  get generations(): number {
    return this.#sealed.length
  }

  /** Forgets all: the next refresh reads everything anew. */
  reset(): void {
    this.recent.clear()
    this.frozen.clear()
    this.seal = undefined
    this.#sealed = []
    this.readTo = 0
    this.watermark = 0
    this.#recentAbove = 0
  }

  /** Reads what other connections changed: generations, and the events they accepted. */
  refresh(): void {
    this.refreshGenerations()
    if (this.readTo < this.watermark) this.readTo = this.watermark
    for (const row of this.#rows.iterate(this.readTo)) {
      const position = numberIn(row, 'position')
      this.remember(textIn(row, 'identity'), position)
      if (row.content !== null) this.remember(textIn(row, 'content'), position)
    }
  }

  refreshGenerations(): void {
    this.watermark = numberIn(this.#progress.get(), 'watermark')
    this.#leaveToTable(this.watermark)
    const before = new Map(this.#sealed.map((sealed) => [sealed.generation, sealed]))
    const sealed: Sealed[] = []
    let seal: Seal | undefined
    for (const row of this.#generations.all()) {
      const generation = numberIn(row, 'generation')
      if (row.state === 'sealing') seal = { generation, upTo: numberIn(row, 'up_to') }
      else if (row.state === 'sealed' || row.state === 'dropping') {
        sealed.push(before.get(generation) ?? { generation, bloom: this.#bloomOf(generation) })
      }
    }
    this.#sealed = sealed
    if (this.seal && seal?.generation !== this.seal.generation) this.#thawBelow(this.watermark)
    if (seal && this.seal?.generation !== seal.generation) this.#freeze(seal)
    this.seal = seal
  }

  /** A new entry; the caller has written its event row in the same transaction. */
  remember(hash: string, position: number): void {
    if (position > this.readTo) this.readTo = position
    if (this.seal && position <= this.seal.upTo) this.frozen.set(hash, position)
    else this.recent.set(hash, position)
  }

  find(hash: string): Known | undefined {
    const position = this.recent.get(hash) ?? this.frozen.get(hash)
    if (position !== undefined) return this.#knownAt(position)
    if (this.#sealed.length === 0) return undefined
    const spread: Spread = spreadOf(hash)
    for (const { generation, bloom } of this.#sealed) {
      if (!bloom.mayHave(spread)) continue
      const row = this.#probe.get(generation, hash)
      const known = row && this.#knownAt(numberIn(row, 'position'))
      if (known) return known
    }
    return undefined
  }

  /** Another process may have written a whole generation since the last look: what it took must not hide what is newer. */
  #leaveToTable(watermark: number): void {
    if (watermark <= this.#recentAbove) return
    for (const [hash, position] of this.recent) if (position <= watermark) this.recent.delete(hash)
    this.#recentAbove = watermark
  }

  /** What a seal or merge under way was given up: its positions count as recent again. */
  #thawBelow(watermark: number): void {
    for (const [hash, position] of this.frozen) {
      if (position > watermark && !this.recent.has(hash)) this.recent.set(hash, position)
    }
    this.frozen = new Map()
    this.#recentAbove = watermark
  }

  #freeze(seal: Seal): void {
    this.#recentAbove = seal.upTo
    const recent = this.recent
    this.frozen = new Map()
    this.recent = new Map()
    let later = 0
    for (const position of recent.values()) if (position > seal.upTo) later++
    // The process that opens the seal has nothing later: it moves the whole map at once.
    if (later === 0) {
      this.frozen = recent
      return
    }
    for (const [hash, position] of recent) (position > seal.upTo ? this.recent : this.frozen).set(hash, position)
  }

  /** Undefined for an identity that retention has forgotten. */
  #knownAt(position: number): Known | undefined {
    const event = this.#eventKnown.get(position)
    const row = event ?? this.#originKnown.get(position)
    return row && knownIn(row, position, event !== undefined)
  }

  #bloomOf(generation: number): Bloom {
    const bytes = this.#bloom.get(generation)?.bloom
    return Bloom.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(64).fill(255))
  }
}

/** What a row of `event` or `origin` says. */
export function knownIn(row: Record<string, unknown>, position: number, inJournal: boolean): Known {
  return {
    position,
    key: textIn(row, 'key'),
    acceptedAt: numberIn(row, 'accepted_at'),
    fingerprintKey: numberIn(row, 'fingerprint_key'),
    fingerprint: textIn(row, 'fingerprint'),
    inJournal,
  }
}
