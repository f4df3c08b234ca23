import type { SettleItem } from '../../src/store/store.ts'
import type { Ledger } from './ledger.ts'
import type { RunFacts } from './run-facts.ts'
import type { Watch } from './watch.ts'

/** What keeping the latest of a burst promises: who may be settled without an attempt, and for whom. */
export class Overtaken {
  readonly #watch: Watch
  readonly #ledger: Ledger

  constructor(watch: Watch, ledger: Ledger) {
    this.#watch = watch
    this.#ledger = ledger
  }

  /** A settlement was written. */
  settled(run: RunFacts, { state, attemptedAt }: SettleItem): void {
    if (state.reason !== 'coalesced') {
      // Which would be the same, but for the reason.
      if (
        state.reason !== 'superseded' &&
        state.status === 'completed' &&
        attemptedAt === undefined &&
        run.firstEnteredAtMs === undefined
      )
        this.#watch.violate('G5.coalesced', `${run.name} is completed, and was never entered`)
      return
    }
    this.#watch.reach('overtaken')
    if (run.firstEnteredAtMs !== undefined || run.state !== undefined)
      this.#watch.violate('G5.coalesced', `${run.name} was overtaken, though it had begun`)
    const { coalescedBy }: { coalescedBy?: string } = JSON.parse(state.result ?? '{}')
    const event = this.#ledger.events.get(run.event)
    const by = this.#ledger.events.get(coalescedBy?.slice(0, 26) ?? '')
    if (!event || !by) {
      this.#watch.violate('G5.coalesced', `${run.name} was overtaken by nothing that is known`)
      return
    }
    const isOfIt = event.tenant === by.tenant && event.type === by.type && event.orderKey === by.orderKey
    if (!isOfIt || coalescedBy === run.id)
      this.#watch.violate(
        'G5.coalesced',
        `${run.name} was overtaken by ${by.tenant}/${by.id}, which is of no burst with it`,
      )
    if (by.receiptAtMs !== undefined && event.sentAtMs !== undefined && by.receiptAtMs < event.sentAtMs)
      this.#watch.violate('G5.coalesced', `${run.name} was overtaken by ${by.id}, which came before it`)
  }
}
