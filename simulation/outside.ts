import { Fatal, NotSent, RetryLater } from '../src/event/outcome.ts'
import type { Clock } from '../src/kit/clock.ts'
import type { Draw } from './draw.ts'
import type { Limits } from './model/limits.ts'
import type { Reaction } from './plan.ts'

/** How long the service keeps a caller waiting that it has forgotten: longer than a step's and an attempt's patience. */
const hangMs = 6_500

/** Just within a step's patience. */
const dawdleMs = 950

/**
 * The other side of every step: a service that remembers the keys which it was given, does each once, and reacts as the
 * plan says. What it does goes on when its caller is dead.
 */
export class OutsideService {
  readonly #clock: Clock
  readonly #draw: Draw
  readonly #calls = new Map<string, number>()
  readonly #done = new Map<string, string>()
  readonly #limits: Limits
  readonly #isDown: () => boolean

  /** @param isDown whether the dependency is, at this moment */
  constructor(clock: Clock, draw: Draw, limits: Limits, isDown: () => boolean) {
    this.#clock = clock
    this.#draw = draw
    this.#limits = limits
    this.#isDown = isDown
  }

  /** How often something was asked for before, and counts this time. */
  count(name: string): number {
    const before = this.#calls.get(name) ?? 0
    this.#calls.set(name, before + 1)
    return before
  }

  /** What a key's effect gave, if it was done. */
  doneBy(key: string): string | undefined {
    return this.#done.get(key)
  }

  /** One call of the dependency: it does each key once, or is down and does nothing. */
  charge(caller: Clock, key: string, node: string): Promise<string> {
    const backMs = this.#draw.chance(0.2) ? this.#draw.whole(100, 900) : this.#draw.whole(1, 60)
    const call = this.#limits.called(node)
    const isDown = this.#isDown()
    if (!isDown && !this.#done.has(key)) this.#done.set(key, `charge ${this.#done.size}`)
    this.#clock.setTimer(backMs, () => this.#limits.left(call))
    return new Promise((resolve, reject) => {
      caller.setTimer(backMs, () => {
        if (isDown) reject(new ServiceDown())
        else resolve(this.#done.get(key) ?? '')
      })
    })
  }

  /** One call. The answer comes on the caller's clock: never, if it is dead. */
  call(caller: Clock, key: string, reactions: readonly Reaction[]): Promise<string> {
    const call = this.count(key)
    const reaction = reactions[call] ?? 'does'
    const thereMs = this.#draw.whole(1, 30)
    const backMs = reaction === 'hangs' ? hangMs : reaction === 'dawdles' ? dawdleMs : this.#draw.whole(1, 30)
    return new Promise((resolve, reject) => {
      this.#clock.setTimer(thereMs, () => {
        const does = !['breaks', 'refuses', 'later', 'never'].includes(reaction)
        if (does && !this.#done.has(key)) this.#done.set(key, `effect ${this.#done.size}`)
        // Each answer can be told from the others: a step's result is the one that was kept.
        const result = `${this.#done.get(key) ?? ''}, call ${call}`
        caller.setTimer(backMs, () => {
          const error = errorOf(reaction)
          if (error) reject(error)
          else resolve(result)
        })
      })
    })
  }
}

function errorOf(reaction: Reaction): Error | undefined {
  switch (reaction) {
    case 'does':
    case 'hangs':
    case 'dawdles':
      return undefined
    case 'does_unheard':
    case 'breaks':
      return new ConnectionReset(reaction)
    case 'refuses':
      return new NotSent('refused')
    case 'later':
      return new RetryLater(300, 'later')
    case 'never':
      return new Fatal('never')
  }
}

class ServiceDown extends Error {
  override readonly name = 'ServiceDown'
  readonly status = 503
}

/** An error that says nothing of what was done. */
class ConnectionReset extends Error {
  override readonly name = 'ConnectionReset'
}
