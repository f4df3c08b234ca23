import { HapaxError } from '../errors/hapax-error.ts'
import type { Clock } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type {
  AcceptAnswer,
  AcceptItem,
  AnswerItem,
  BeginItem,
  CheckpointAnswer,
  CheckpointItem,
  Commit,
  CommitResult,
  FencedAnswer,
  InterveneAnswer,
  InterveneItem,
  RejectItem,
  SettleAnswer,
  SettleItem,
  Store,
} from '../store/store.ts'

interface Waiting<Item, Answer> {
  readonly item: Item
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/** What one commit gathers. */
class Batch {
  readonly accept: Waiting<AcceptItem, AcceptAnswer>[] = []
  readonly intervene: Waiting<InterveneItem, InterveneAnswer>[] = []
  readonly begin: Waiting<BeginItem, FencedAnswer>[] = []
  readonly checkpoint: Waiting<CheckpointItem, CheckpointAnswer>[] = []
  readonly settle: Waiting<SettleItem, SettleAnswer>[] = []
  readonly answer: Waiting<AnswerItem, FencedAnswer>[] = []
  readonly rejects = new Map<string, RejectItem>()
  bytes = 0

  get size(): number {
    return (
      this.accept.length +
      this.intervene.length +
      this.begin.length +
      this.checkpoint.length +
      this.settle.length +
      this.answer.length +
      this.rejects.size
    )
  }

  /** Takes the later half of each list into a batch of its own. */
  halve(): Batch {
    const half = new Batch()
    for (const kind of kinds) moveLaterHalf<unknown>(this[kind], half[kind])
    return half
  }

  toCommit(): Commit {
    return {
      accept: this.accept.map(itemOf),
      intervene: this.intervene.map(itemOf),
      begin: this.begin.map(itemOf),
      checkpoint: this.checkpoint.map(itemOf),
      settle: this.settle.map(itemOf),
      answer: this.answer.map(itemOf),
      reject: [...this.rejects.values()],
    }
  }
}

const kinds = ['accept', 'intervene', 'begin', 'checkpoint', 'settle', 'answer'] as const

function moveLaterHalf<Item>(from: Item[], to: Item[]): void {
  for (const item of from.splice(Math.ceil(from.length / 2))) to.push(item)
}

const itemOf = <Item>(waiting: { readonly item: Item }): Item => waiting.item

/** Commits under way at once: the second gathers its items in the store's queue while the first is fsynced. */
const flightsMax = 2

/**
 * From this many items on, a batch goes beside the flight before it, and one of twice as many goes as two: so that the
 * store commits the one while the answers of the other are worked on. With 64 producers on SQLite, one flight of 64 makes
 * two thirds of the accepts per second; from 32 on, 64 connections over HTTP get a fifth less than from 16.
 */
const flightItems = 16

/**
 * Gathers all writes of this process into few commits, self-clocking: while one batch commits, the next gathers. One
 * caller alone waits for nothing but its own commit; under load a commit carries hundreds.
 *
 * A decision (begin, checkpoint, settle, answer) whose commit got no reply is asked again until it is answered, since
 * its slot must not be used before; accepts and interventions are told `store_unavailable`, and may ask again.
 */
export class Committer {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  #gathering = new Batch()
  /** Batches that reached their limit while no flight was free, oldest first. */
  readonly #full: Batch[] = []
  #accepts = 0
  #flights = 0
  #turnAsked = false
  #failures = 0
  #closed = false
  #idle: (() => void)[] = []

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store
    this.#clock = clock
    this.#log = log
  }

  accept(item: AcceptItem): Promise<AcceptAnswer> {
    if (this.#accepts >= limits.acceptsWaiting) {
      return Promise.reject(new HapaxError('too_many_requests', { limit: limits.acceptsWaiting }))
    }
    this.#accepts++
    this.#gathering.bytes += item.body.length
    return this.#add(this.#gathering.accept, item)
  }

  intervene(item: InterveneItem): Promise<InterveneAnswer> {
    return this.#add(this.#gathering.intervene, item)
  }

  begin(item: BeginItem): Promise<FencedAnswer> {
    return this.#add(this.#gathering.begin, item)
  }

  checkpoint(item: CheckpointItem): Promise<CheckpointAnswer> {
    this.#gathering.bytes += item.value?.length ?? 0
    return this.#add(this.#gathering.checkpoint, item)
  }

  settle(item: SettleItem): Promise<SettleAnswer> {
    return this.#add(this.#gathering.settle, item)
  }

  answer(item: AnswerItem): Promise<FencedAnswer> {
    return this.#add(this.#gathering.answer, item)
  }

  /** Counts a request that was turned away; goes with the next commit. */
  reject(source: string, code: string): void {
    const name = `${source}\n${code}`
    const before = this.#gathering.rejects.get(name)
    this.#gathering.rejects.set(name, { source, code, count: (before?.count ?? 0) + 1 })
    this.#askTurn()
  }

  /** Resolves when nothing waits and nothing is under way. */
  drained(): Promise<void> {
    if (this.#flights === 0 && this.#gathering.size === 0 && this.#full.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /**
   * Asks nothing more of the store. A decision that has no answer yet, or comes later, is told that its pair is lost, so
   * that what waits for it ends, unsettled; accepts and interventions are told `engine_stopped`.
   */
  close(): void {
    this.#closed = true
    for (const batch of [...this.#full.splice(0), this.#gathering]) letGo(batch)
    this.#gathering = new Batch()
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #add<Item, Answer>(list: Waiting<Item, Answer>[], item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      list.push({ item, resolve, reject })
      if (this.#closed) {
        letGo(this.#gathering)
        this.#gathering = new Batch()
        return
      }
      if (this.#gathering.size >= limits.commitItems || this.#gathering.bytes >= limits.commitBytes) this.#close()
      this.#askTurn()
    })
  }

  /**
   * When all who were woken by the last commit have asked, the next one goes: beside another at once, alone after a turn
   * of the event loop, so that what other sockets bring is in it.
   */
  #askTurn(): void {
    if (this.#turnAsked || this.#flights >= flightsMax) return
    if (this.#flights > 0 && this.#full.length === 0 && this.#gathering.size < flightItems) return
    this.#turnAsked = true
    const flush = () => {
      this.#turnAsked = false
      this.#flush()
    }
    if (this.#flights > 0) this.#clock.rest(flush)
    else this.#clock.turn(flush)
  }

  /** The batch is as large as a commit may be: the next gathers behind it. */
  #close(): void {
    this.#full.push(this.#gathering)
    this.#gathering = new Batch()
  }

  #flush(): void {
    if (this.#full.length === 0) this.#close()
    const batch = this.#full.shift()
    if (!batch || batch.size === 0) return
    const later = this.#flights === 0 && batch.size >= 2 * flightItems ? batch.halve() : undefined
    this.#send(batch)
    if (later) this.#send(later)
  }

  #send(batch: Batch): void {
    this.#accepts -= batch.accept.length
    this.#flights++
    this.#store.commit(batch.toCommit()).then(
      (result) => this.#landed(batch, result),
      (error: unknown) => this.#failed(batch, error),
    )
  }

  #landed(batch: Batch, result: CommitResult): void {
    this.#failures = 0
    answerAll(batch.accept, result.accept)
    answerAll(batch.intervene, result.intervene)
    answerAll(batch.begin, result.begin)
    answerAll(batch.checkpoint, result.checkpoint)
    answerAll(batch.settle, result.settle)
    answerAll(batch.answer, result.answer)
    this.#freed()
  }

  #failed(batch: Batch, error: unknown): void {
    this.#failures++
    const reason =
      error instanceof HapaxError
        ? error
        : new HapaxError('store_unavailable', { reason: nameOf(error) }, { cause: error })
    this.#log.warn('commit failed', { code: reason.code, items: batch.size, failures: this.#failures })
    for (const waiting of batch.accept) waiting.reject(reason)
    for (const waiting of batch.intervene) waiting.reject(reason)
    const delayMs = Math.min(1_000, 25 * 2 ** Math.min(this.#failures, 6))
    const askAgain = () => {
      if (this.#closed) {
        letGo(batch)
        return
      }
      this.#gathering.begin.unshift(...batch.begin)
      this.#gathering.checkpoint.unshift(...batch.checkpoint)
      this.#gathering.settle.unshift(...batch.settle)
      this.#gathering.answer.unshift(...batch.answer)
      this.#freed()
    }
    if (this.#closed) askAgain()
    else this.#clock.setTimer(delayMs, askAgain)
  }

  #freed(): void {
    this.#flights--
    if (this.#full.length > 0) this.#flush()
    else if (this.#gathering.size > 0) this.#askTurn()
    else if (this.#flights === 0) {
      const idle = this.#idle
      this.#idle = []
      for (const resolve of idle) resolve()
    }
  }
}

function letGo(batch: Batch): void {
  for (const waiting of [...batch.accept, ...batch.intervene]) waiting.reject(new HapaxError('engine_stopped'))
  for (const waiting of [...batch.begin, ...batch.settle, ...batch.answer]) waiting.resolve('stale')
  for (const waiting of batch.checkpoint) waiting.resolve({ outcome: 'stale' })
}

function answerAll<Item, Answer>(waiting: readonly Waiting<Item, Answer>[], answers: readonly Answer[]): void {
  let index = 0
  for (const answer of answers) waiting[index++]?.resolve(answer)
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}
