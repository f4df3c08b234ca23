import { systemClock, type Timer } from '../src/kit/clock.ts'

/** A process that lives, stands still, or is dead: what it had planned waits, or never comes. */
export interface Life {
  alive: boolean
  stillUntilMs: number
}

/** What goes on beside the schedule, in real time: virtual time waits for it. */
export interface Beside {
  /** Resolves when nothing is under way there that the schedule must wait for; undefined: nothing is. */
  settled(): Promise<void> | undefined
  /** Makes a call of a process, so that what it begins there is known to be its own. */
  within<Result>(life: Life, fire: () => Result): Result
}

interface Planned {
  atMs: number
  readonly dueMs: number
  readonly order: number
  readonly life: Life | undefined
  fire: (() => void) | undefined
}

/**
 * Virtual time and the one order of everything: what is planned is called by its time, then by the order in which it was
 * planned; between two calls all that was woken runs to its end.
 */
export class Schedule {
  nowMs = 0
  /** Calls made. */
  steps = 0
  beside: Beside | undefined
  readonly #heap: Planned[] = []
  #order = 0

  /** Calls `fire` at that time, unless its process is dead by then; later, if it stands still. */
  at(atMs: number, fire: () => void, life?: Life): Timer {
    const due = Math.max(this.nowMs, atMs)
    const planned: Planned = { atMs: due, dueMs: due, order: this.#order++, life, fire }
    this.#push(planned)
    return {
      cancel: () => {
        planned.fire = undefined
      },
    }
  }

  /** Lets time pass until then, or until `done`, which is asked after each call. */
  async until(untilMs: number, done?: () => boolean): Promise<void> {
    await this.rest()
    for (;;) {
      if (done?.()) return
      const next = this.#heap[0]
      if (!next || next.atMs > untilMs) break
      this.#pop()
      const { life, fire } = next
      if (!fire || life?.alive === false) continue
      if (life && life.stillUntilMs > next.atMs) {
        next.atMs = life.stillUntilMs
        this.#push(next)
        continue
      }
      this.nowMs = next.atMs
      this.steps++
      if (life && this.beside) this.beside.within(life, fire)
      else fire()
      await this.rest()
    }
    this.nowMs = Math.max(this.nowMs, untilMs)
  }

  /** All promises that can go on have gone on, and nothing is under way beside. */
  async rest(): Promise<void> {
    await turned()
    for (let settled = this.beside?.settled(); settled; settled = this.beside?.settled()) {
      await settled
      await turned()
    }
  }

  #push(planned: Planned): void {
    const heap = this.#heap
    let index = heap.length
    heap.push(planned)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (!above || !isBefore(planned, above)) break
      heap[index] = above
      index = parent
    }
    heap[index] = planned
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      const one = heap[left]
      if (!one) break
      const other = heap[left + 1]
      const [child, smaller] = other && isBefore(other, one) ? [left + 1, other] : [left, one]
      if (!isBefore(smaller, last)) break
      heap[index] = smaller
      index = child
    }
    heap[index] = last
  }
}

function turned(): Promise<void> {
  return new Promise((resolve) => systemClock.turn(resolve))
}

/** After a standstill all is due at once: by its own time first, then as it was planned. */
function isBefore(one: Planned, other: Planned): boolean {
  if (one.atMs !== other.atMs) return one.atMs < other.atMs
  if (one.dueMs !== other.dueMs) return one.dueMs < other.dueMs
  return one.order < other.order
}
