import type { Clock } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Answer } from './answer.ts'

/** What is kept of a cached fetch; `too_large`: its body is, so that each caller makes a call of its own. */
export type CachedAnswer = Answer | 'too_large'

interface Kept {
  readonly answer: CachedAnswer
  readonly keptAtMs: number
  readonly bytes: number
}

/** What an answer costs beside its texts and its body, about, in bytes. */
const overheadBytes = 500

/** Answers of cached fetches, of one node, in memory: those that were asked for last, within limits of number and bytes. */
export class AnswerCache {
  readonly #clock: Clock
  /** The one that was asked for longest ago comes first. */
  readonly #kept = new Map<string, Kept>()
  #bytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#kept.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The answer of this key, where it came less than so long ago. */
  get(key: string, youngerThanMs: number): CachedAnswer | undefined {
    const kept = this.#kept.get(key)
    if (!kept || this.#clock.monotonicMs() - kept.keptAtMs >= youngerThanMs) return undefined
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    return kept.answer
  }

  put(key: string, answer: CachedAnswer): void {
    this.#drop(key)
    const bytes = overheadBytes + 2 * key.length + (answer === 'too_large' ? 0 : sizeOf(answer))
    this.#kept.set(key, { answer, bytes, keptAtMs: this.#clock.monotonicMs() })
    this.#bytes += bytes
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= limits.cachedAnswers && this.#bytes <= limits.cachedBytes) return
      this.#drop(oldest)
    }
  }

  clear(): void {
    this.#kept.clear()
    this.#bytes = 0
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0
    this.#kept.delete(key)
  }
}

function sizeOf({ headers, url, body }: Answer): number {
  let characters = url.length
  for (const [name, value] of headers) characters += name.length + value.length
  return 2 * characters + (body?.byteLength ?? 0)
}
