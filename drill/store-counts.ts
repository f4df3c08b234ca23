import type { Commit, Store } from '../src/store/store.ts'
import { nowMs } from './clock.ts'

/** A beat that comes so much before its time was hurried: for a limit, or for a shard that was given back. */
const earlyMs = 100

/** What a node asks of its store, counted on the way. */
export class StoreCounts {
  readonly #beatMs: number
  #lastBeatMs = Number.NEGATIVE_INFINITY
  beats = 0
  hurried = 0
  settlements = 0
  /** Settlements that park a run. */
  parked = 0

  constructor(beatMs: number) {
    this.#beatMs = beatMs
  }

  /** The same store, its calls counted. */
  counted(store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => {
          if (name === 'own') this.#beat()
          if (name === 'commit') this.#commit(args[0] as Commit)
          return member.apply(target, args)
        }
      },
    })
  }

  #beat(): void {
    const atMs = nowMs()
    this.beats++
    if (atMs - this.#lastBeatMs < this.#beatMs - earlyMs) this.hurried++
    this.#lastBeatMs = atMs
  }

  #commit({ settle = [] }: Commit): void {
    this.settlements += settle.length
    for (const { state } of settle) if (state.status === 'parked') this.parked++
  }
}
