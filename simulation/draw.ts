import { type Random, seededRandom } from '../src/kit/random.ts'

/**
 * Drawing from a seed. Each use has a stream of its own, named, so that leaving one fault out does not reshuffle the
 * rest: a failing plan can be shrunk.
 */
export class Draw {
  readonly random: Random

  constructor(seed: number, stream: string) {
    let mixed = seed ^ 0x811c9dc5
    for (const char of stream) mixed = Math.imul(mixed ^ (char.codePointAt(0) ?? 0), 0x01000193)
    this.random = seededRandom(mixed)
  }

  chance(probability: number): boolean {
    return this.random.fraction() < probability
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.random.fraction() * (most - least + 1))
  }

  pick<const Item>(items: readonly [Item, ...Item[]]): Item {
    return items[Math.floor(this.random.fraction() * items.length)] ?? items[0]
  }
}
