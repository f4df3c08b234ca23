/** The most of these moments within any span of so long, and where that begins. */
export function mostWithin(sorted: readonly number[], spanMs: number): number {
  let most = 0
  for (let from = 0, to = 0; to < sorted.length; to++) {
    while ((sorted[to] ?? 0) - (sorted[from] ?? 0) >= spanMs) from++
    most = Math.max(most, to - from + 1)
  }
  return most
}

/** The p-th percentile of these; NaN of none. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? Number.NaN
}

/** How many stand between coming and going, as time goes on. */
export class Backlog {
  readonly #steps: { readonly atMs: number; readonly count: number }[] = []

  constructor(came: readonly number[], went: readonly number[]) {
    const moves = [...came.map((atMs) => [atMs, 1] as const), ...went.map((atMs) => [atMs, -1] as const)]
    let count = 0
    for (const [atMs, by] of moves.sort(([one], [other]) => one - other)) {
      count += by
      this.#steps.push({ atMs, count })
    }
  }

  /** At this moment. */
  at(atMs: number): number {
    let [low, high] = [0, this.#steps.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#steps[middle]?.atMs ?? 0) <= atMs) low = middle + 1
      else high = middle
    }
    return this.#steps[low - 1]?.count ?? 0
  }

  /** The most within these moments. */
  most(fromMs: number, toMs: number): number {
    let most = this.at(fromMs)
    for (const { atMs, count } of this.#steps) if (atMs >= fromMs && atMs <= toMs) most = Math.max(most, count)
    return most
  }

  /** When it is first down to this many, from a moment on; infinite: never. */
  downTo(count: number, fromMs: number): number {
    if (this.at(fromMs) <= count) return fromMs
    return this.#steps.find((step) => step.atMs > fromMs && step.count <= count)?.atMs ?? Number.POSITIVE_INFINITY
  }
}
