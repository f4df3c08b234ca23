import type { DatabaseSync } from 'node:sqlite'
import { HapaxError } from '../errors/hapax-error.ts'
import type { Duration } from '../kit/duration.ts'
import { encodeJson } from '../kit/json-value.ts'
import type { Log } from '../kit/log.ts'
import type { Attempt } from './attempt.ts'
import type { EmittedEvent, Run, StepOptions, TransactionOptions } from './handler.ts'
import { isThenable } from './in-time.ts'
import { rememberUndo, runStep } from './run-step.ts'
import { sleepUntil, waitForSignal } from './waits.ts'

/** What a handler holds: the durable verbs of one attempt, and nothing of the engine behind it. */
export class DurableRun implements Run {
  readonly id: string
  readonly attempt: number
  readonly generation: number
  readonly log: Log
  readonly #attempt: Attempt

  constructor(attempt: Attempt) {
    this.#attempt = attempt
    this.id = attempt.id
    this.attempt = attempt.subject.attempt
    this.generation = attempt.generation
    this.log = attempt.host.log
  }

  get signal(): AbortSignal {
    return this.#attempt.aborts.signal
  }

  key(step: string, of = ''): string {
    return this.#attempt.key(step, of)
  }

  progress(fraction: number, note?: string): void {
    this.#attempt.host.progressed(this.id, fraction, note)
  }

  step<Result>(
    name: string,
    effect: ((key: string, signal: AbortSignal) => Result | Promise<Result>) | StepOptions<Result>,
  ): Promise<Result> {
    const options: StepOptions<Result> = typeof effect === 'function' ? { run: effect } : effect
    const address = { kind: 'step', name, of: options.of ?? '' } as const
    // Before the checkpoint is looked at: an undo is told by steps that are done.
    if (options.undo) rememberUndo(this.#attempt, address, options)
    return this.#attempt.verb(address, (step, text) => runStep(this.#attempt, step, text, options))
  }

  sleep(name: string, duration: Duration, options: { readonly of?: string } = {}): Promise<void> {
    const address = { kind: 'sleep', name, of: options.of ?? '' } as const
    return this.#attempt.verb(address, (step, text) => sleepUntil(this.#attempt, step, text, duration))
  }

  waitFor(name: string, options: { readonly timeout?: Duration; readonly of?: string } = {}): Promise<unknown> {
    const address = { kind: 'waitFor', name, of: options.of ?? '' } as const
    return this.#attempt.verb(address, (step, text) => waitForSignal(this.#attempt, step, text, options.timeout))
  }

  emit(event: EmittedEvent, options: { readonly of?: string } = {}): Promise<{ readonly key: string }> {
    const attempt = this.#attempt
    const address = { kind: 'emit', name: event.type, of: options.of ?? '' } as const
    return attempt.verb(address, async (step, text) => {
      const startedAt = attempt.host.now()
      const id = attempt.key(`emit:${event.type}`, step.of)
      const item = await attempt.host.toEmit(attempt.subject.event, event, id)
      // A replay with the same keys finds the event that an earlier generation emitted.
      const known = attempt.generation > 1 ? await attempt.host.store.identity(item) : undefined
      const value = JSON.stringify({ key: known?.key ?? item.key })
      return attempt.keep(step, text, { startedAt, firstTriedAt: startedAt, value, emits: [item] })
    })
  }

  transaction<Result, Client = DatabaseSync>(
    name: string,
    body: (transaction: Client) => Result | Promise<Result>,
    options: TransactionOptions<Client> = {},
  ): Promise<Result> {
    const attempt = this.#attempt
    const address = { kind: 'transaction', name, of: options.of ?? '' } as const
    return attempt.verb(address, async (step, text) => {
      const { store } = attempt.host
      if (!store.transact) {
        const handler = attempt.subject.handler.name
        throw new HapaxError('ability_missing', { handler, ability: 'transaction', store: store.kind })
      }
      const startedAt = attempt.host.now()
      const item = attempt.item(step, { startedAt, firstTriedAt: startedAt })
      let value: string | undefined
      const { transact } = store
      const { begin } = options
      const kept = (transaction: unknown) => {
        // Whoever writes a handler says which client it takes; a store hands out its own alone, or what `begin` opened.
        const result = body(transaction as Client)
        const keep = (settled: Result) => {
          value = encodeJson(settled, name)
          return value
        }
        return isThenable(result) ? Promise.resolve(result).then(keep) : keep(result)
      }
      const answer = await attempt.write(() =>
        transact.call(store, item, kept, begin && ((work) => begin((transaction) => work(transaction)))),
      )
      if (!answer) return attempt.forgotten()
      return attempt.kept(text, value === undefined ? item : { ...item, value }, answer)
    })
  }
}
