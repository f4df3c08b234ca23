import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { numberIn, textIn } from '../sql/columns.ts'
import { Bloom, spreadOf } from './bloom.ts'
import type { Ledger, Seal } from './ledger.ts'

/** When and how the ledger is tidied; smaller in tests. */
export interface LedgerOptions {
  /** Identities in memory before they are sealed: 65,536 take some 12 MB, and 80 ms to read back at a start. */
  readonly sealEntries: number
  /** Generations of one tier before they become one of the next. */
  readonly mergeCount: number
  /** Rows of one slice: 1.2 ms of the writer. */
  readonly sliceRows: number
}

export const ledgerDefaults: LedgerOptions = { sealEntries: 65_536, mergeCount: 16, sliceRows: 512 }

interface Entry {
  readonly hash: string
  readonly position: number
}

/** The entries of the seal under way, dealt out by their first digits so that no sort is ever longer than a slice. */
interface SealWork {
  readonly seal: Seal
  readonly source: Iterator<[string, number]>
  readonly piles: Entry[][]
  readonly bloom: Bloom
  entries: number
  dealt: boolean
  pile: number
}

interface MergeWork {
  readonly generation: number
  readonly bloom: Bloom
  readonly copy: StatementSync
  /** The same for one identity alone. */
  readonly ties: StatementSync
}

/**
 * Moves identities from memory into sorted generations, and generations into larger ones, a slice per call, each inside
 * the transaction of a commit that is made anyway or of an idle moment. Every process of the file may write the next
 * slice: where it stands is in the file.
 */
export class Compaction {
  readonly #database: DatabaseSync
  readonly #ledger: Ledger
  readonly #options: LedgerOptions
  readonly #statements: ReturnType<typeof prepare>
  #sealing: SealWork | undefined
  #merging: MergeWork | undefined
  #mayMerge = true
  #owedRows = 0

  constructor(database: DatabaseSync, ledger: Ledger, options: LedgerOptions) {
    this.#database = database
    this.#ledger = ledger
    this.#options = options
    this.#statements = prepare(database)
  }

  /** Whether an idle moment could be used. */
  get hasWork(): boolean {
    return this.#ledger.seal !== undefined || this.#isFull || this.#mayMerge
  }

  get #isFull(): boolean {
    return this.#ledger.seal === undefined && this.#ledger.recent.size >= this.#options.sealEntries
  }

  /**
   * Some work for the identities that a commit added: twice as many rows as came, so that a seal is done long before the
   * next is due, gathered until they are worth a slice. Merges wait for idle moments, unless the filters have become many:
   * each costs every new identity some 40 ns.
   */
  step(added: number): void {
    const behind = this.#mayMerge && this.#ledger.generations > this.#options.mergeCount * 3
    if (!this.#ledger.seal && !this.#isFull && !behind) return
    this.#owedRows += added * 2
    if (this.#owedRows < Math.min(128, this.#options.sliceRows)) return
    const rows = Math.min(this.#owedRows, this.#options.sliceRows)
    this.#owedRows -= rows
    this.slice(rows)
  }

  /** The next slice, at most this many rows. */
  slice(rows: number): void {
    if (this.#isFull) this.#openSeal()
    if (this.#ledger.seal) this.#sealSlice(this.#ledger.seal, rows)
    else this.#mergeSlice(rows)
  }

  /** What was done in a transaction that was rolled back is not known any more: begin anew from the file. */
  reset(): void {
    this.#sealing = undefined
    this.#merging = undefined
    this.#mayMerge = true
  }

  #openSeal(): void {
    const generation = this.#nextGeneration()
    this.#statements.open.run(generation, 'sealing', 0, this.#ledger.readTo, null)
    this.#ledger.refreshGenerations()
  }

  /** A number that no generation ever had. */
  #nextGeneration(): number {
    const next = numberIn(this.#statements.highest.get(), 'highest') + 1
    this.#statements.forgetEmpty.run()
    return next
  }

  #sealSlice(seal: Seal, rows: number): void {
    if (this.#sealing?.seal.generation !== seal.generation) this.#sealing = beginSeal(seal, this.#ledger.frozen)
    const work = this.#sealing
    if (!work.dealt) {
      deal(work, rows * 8)
      return
    }
    const progress = textIn(this.#statements.progress.get(seal.generation), 'progress')
    let last = progress
    for (let left = rows; left > 0 && work.pile < work.piles.length; work.pile++) {
      const pile = work.piles[work.pile] ?? []
      pile.sort((one, other) => (one.hash < other.hash ? -1 : 1))
      for (const { hash, position } of pile) {
        last = hash
        // Another process wrote the pile.
        if (hash <= progress) continue
        this.#statements.seal.run(seal.generation, hash, position)
        left--
      }
    }
    if (last > progress) this.#statements.advance.run(last, seal.generation)
    if (work.pile < work.piles.length) return
    this.#statements.finish.run(work.entries, work.bloom.bytes, seal.generation)
    this.#statements.watermark.run(seal.upTo)
    this.#sealing = undefined
    this.#mayMerge = true
    this.#ledger.refreshGenerations()
  }

  #mergeSlice(rows: number): void {
    const row = this.#statements.merge.get()
    if (!row) {
      this.#merging = undefined
      this.#mayMerge = this.#openMerge()
      return
    }
    const generation = numberIn(row, 'generation')
    const sources: number[] = JSON.parse(textIn(row, 'sources'))
    if (row.state === 'dropping') {
      this.#drop(generation, sources, rows)
      return
    }
    if (this.#merging?.generation !== generation) {
      this.#merging = this.#resumeMerge(generation, sources, numberIn(row, 'entries'))
    }
    const work = this.#merging
    const progress = textIn(row, 'progress')
    const binds: SQLInputValue[] = [generation, ...sources.flatMap((source) => [source, progress]), rows]
    work.copy.run(...binds)
    let last = progress
    for (const copied of this.#statements.copied.iterate(generation, progress)) {
      last = textIn(copied, 'identity')
      work.bloom.add(spreadOf(last))
    }
    if (last !== progress) {
      // The slice may have ended between two entries of one identity (a window passed between them): the newer counts.
      work.ties.run(generation, ...sources.flatMap((source) => [source, last]), sources.length)
      this.#statements.advance.run(last, generation)
      return
    }
    this.#statements.finishMerge.run(work.bloom.bytes, generation)
    for (const source of sources) this.#statements.retire.run(source)
    this.#merging = undefined
    this.#ledger.refreshGenerations()
  }

  /** Opens the merge of a tier that is full, if one is. */
  #openMerge(): boolean {
    const tier = this.#statements.fullTier.get(this.#options.mergeCount)
    if (!tier) return false
    const from = numberIn(tier, 'tier')
    const sources = this.#statements.ofTier.all(from, this.#options.mergeCount)
    const generation = this.#nextGeneration()
    const ids = JSON.stringify(sources.map((source) => numberIn(source, 'generation')))
    const upTo = Math.max(...sources.map((source) => numberIn(source, 'up_to')))
    this.#statements.open.run(generation, 'merging', from + 1, upTo, ids)
    this.#statements.inherit.run(ids, generation)
    return true
  }

  /** The filter of what another process or an earlier start has merged so far is read back. */
  #resumeMerge(generation: number, sources: readonly number[], entries: number): MergeWork {
    const bloom = Bloom.sized(entries)
    for (const row of this.#statements.copied.iterate(generation, '')) bloom.add(spreadOf(textIn(row, 'identity')))
    const copyWhere = (which: string): StatementSync => {
      const one = `select * from ledger where generation = ? and identity ${which} ?`
      return this.#database.prepare(
        `insert into ledger
         select ?1, identity, position
         from (${sources.map(() => one).join(' union all ')} order by identity limit ?)
         where true
         on conflict do update set position = max(position, excluded.position)`,
      )
    }
    return { generation, bloom, copy: copyWhere('>'), ties: copyWhere('=') }
  }

  #drop(generation: number, sources: readonly number[], rows: number): void {
    for (const source of sources) {
      const { changes } = this.#statements.drop.run(source, source, rows)
      if (changes !== 0) return
    }
    this.#statements.settled.run(generation)
    for (const source of sources) this.#statements.forget.run(source)
  }
}

const digitCount = 64
const digitValue = new Uint8Array(128)
for (const [value, digit] of [...'-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'].entries()) {
  digitValue[digit.charCodeAt(0)] = value
}

function beginSeal(seal: Seal, frozen: ReadonlyMap<string, number>): SealWork {
  return {
    seal,
    source: frozen.entries(),
    piles: Array.from({ length: digitCount * digitCount }, () => []),
    bloom: Bloom.sized(frozen.size),
    entries: frozen.size,
    dealt: false,
    pile: 0,
  }
}

/** In the order of the table: by bytes, which is the order of these digits in ASCII. */
function deal(work: SealWork, count: number): void {
  for (let left = count; left > 0; left--) {
    const next = work.source.next()
    if (next.done) {
      work.dealt = true
      return
    }
    const [hash, position] = next.value
    const first = digitValue[hash.charCodeAt(0)] ?? 0
    const second = digitValue[hash.charCodeAt(1)] ?? 0
    work.piles[first * digitCount + second]?.push({ hash, position })
    work.bloom.add(spreadOf(hash))
  }
}

function prepare(
  database: DatabaseSync,
): Record<
  | 'highest'
  | 'forgetEmpty'
  | 'open'
  | 'progress'
  | 'seal'
  | 'advance'
  | 'finish'
  | 'watermark'
  | 'merge'
  | 'fullTier'
  | 'ofTier'
  | 'inherit'
  | 'copied'
  | 'finishMerge'
  | 'retire'
  | 'drop'
  | 'settled'
  | 'forget',
  StatementSync
> {
  return {
    highest: database.prepare('select coalesce(max(generation), 0) as highest from ledger_generation'),
    // The newest of what retention dropped stood there for its number alone.
    forgetEmpty: database.prepare("delete from ledger_generation where state = 'empty'"),
    open: database.prepare("insert into ledger_generation values (?, ?, ?, 0, ?, ?, '', null)"),
    progress: database.prepare('select progress from ledger_generation where generation = ?'),
    seal: database.prepare('insert into ledger values (?, ?, ?)'),
    advance: database.prepare('update ledger_generation set progress = ? where generation = ?'),
    finish: database.prepare(
      "update ledger_generation set state = 'sealed', entries = ?, bloom = ? where generation = ?",
    ),
    watermark: database.prepare('update progress set watermark = max(watermark, ?) where one = 1'),
    merge: database.prepare(
      "select generation, state, sources, entries, progress from ledger_generation where state in ('merging', 'dropping') limit 1",
    ),
    fullTier: database.prepare(
      "select tier from ledger_generation where state = 'sealed' group by tier having count(*) >= ? order by tier limit 1",
    ),
    ofTier: database.prepare(
      "select generation, entries, up_to from ledger_generation where state = 'sealed' and tier = ? order by up_to limit ?",
    ),
    inherit: database.prepare(
      `update ledger_generation set
         entries = (select sum(entries) from ledger_generation where generation in (select value from json_each(?)))
       where generation = ?`,
    ),
    copied: database.prepare('select identity from ledger where generation = ? and identity > ? order by identity'),
    finishMerge: database.prepare("update ledger_generation set state = 'dropping', bloom = ? where generation = ?"),
    retire: database.prepare("update ledger_generation set state = 'retired' where generation = ?"),
    drop: database.prepare(
      `delete from ledger where generation = ? and identity in
         (select identity from ledger where generation = ? order by identity limit ?)`,
    ),
    settled: database.prepare("update ledger_generation set state = 'sealed' where generation = ?"),
    forget: database.prepare('delete from ledger_generation where generation = ?'),
  }
}
