/** One for all: each that `abort` makes by itself takes a stack, at the end of every attempt whose signal was asked for. */
const over = new DOMException('the attempt is over', 'AbortError')

/**
 * What is told when an attempt ends: its own signal, and those of the calls that its steps have under way. Signals that nobody
 * asks for are not made: with one for each attempt, and each step's tied to it, a run of three steps took 15 µs more.
 */
export class Aborts {
  /** Most attempts have one call at a time: a set for it would be made and shrunk again with each. */
  #call: AbortController | undefined
  #others: Set<AbortController> | undefined
  #own: AbortController | undefined
  #isAborted = false

  /** The attempt's own. */
  get signal(): AbortSignal {
    this.#own ??= new AbortController()
    if (this.#isAborted) this.#own.abort(over)
    return this.#own.signal
  }

  /** A call of its own deadline begins; it aborts with the attempt too. */
  begin(): AbortController {
    const call = new AbortController()
    if (this.#isAborted) call.abort(over)
    else if (this.#call) {
      this.#others ??= new Set()
      this.#others.add(call)
    } else this.#call = call
    return call
  }

  /** The call has settled: nothing aborts it any more. */
  end(call: AbortController): void {
    if (this.#call === call) this.#call = undefined
    else this.#others?.delete(call)
  }

  abort(): void {
    this.#isAborted = true
    this.#own?.abort(over)
    this.#call?.abort(over)
    for (const call of this.#others ?? []) call.abort(over)
    this.#call = undefined
    this.#others = undefined
  }
}
