/** The window in so many parts; it forgets one part at a time. */
const parts = 200

/** How often something happened within the last while: counted in parts of it, never too few. */
export class RecentCount {
  readonly #partMs: number
  /** Of each part of the window, and of the one that is under way. */
  readonly #counts = new Uint32Array(parts + 1)
  /** The part that is under way, counted from the clock's own beginning. */
  #part = 0
  #sum = 0

  constructor(windowMs: number) {
    this.#partMs = windowMs / parts
  }

  add(nowMs: number): void {
    this.#turn(nowMs)
    const place = this.#part % this.#counts.length
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
    this.#sum++
  }

  /** Within the window that ends now. */
  at(nowMs: number): number {
    this.#turn(nowMs)
    return this.#sum
  }

  #turn(nowMs: number): void {
    const part = Math.floor(nowMs / this.#partMs)
    const from = Math.max(this.#part + 1, part - parts)
    for (let old = from; old <= part; old++) {
      const place = old % this.#counts.length
      this.#sum -= this.#counts[place] ?? 0
      this.#counts[place] = 0
    }
    this.#part = Math.max(this.#part, part)
  }
}
