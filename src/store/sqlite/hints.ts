import type { Clock, Timer } from '../../kit/clock.ts'

/** How often the file is looked at for what other processes committed: one read of one row. */
const lookMs = 100

/** Tells listeners that work may have come: by this process at once, by another one within a look. */
export class Hints {
  readonly #clock: Clock
  /** The last number of the sequence that this process does not know, if there is one. */
  readonly #foreign: () => number | undefined
  readonly #listeners = new Set<() => void>()
  #timer: Timer | undefined
  #toldOf = 0

  constructor(clock: Clock, foreign: () => number | undefined) {
    this.#clock = clock
    this.#foreign = foreign
  }

  listen(listener: () => void): () => void {
    // Its own function for each call, so that one listener may be given twice.
    const heard = () => listener()
    this.#listeners.add(heard)
    if (!this.#timer) this.#wait()
    return () => {
      this.#listeners.delete(heard)
      if (this.#listeners.size === 0) this.stop()
    }
  }

  tell(): void {
    for (const listener of this.#listeners) listener()
  }

  stop(): void {
    this.#listeners.clear()
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #wait(): void {
    this.#timer = this.#clock.setTimer(lookMs, () => this.#look(), { unref: true })
  }

  #look(): void {
    this.#wait()
    const foreign = this.#foreign()
    // Told once: whoever listens reads it when it can.
    if (foreign === undefined || foreign === this.#toldOf) return
    this.#toldOf = foreign
    this.tell()
  }
}
