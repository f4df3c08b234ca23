interface Waiting<Answer> {
  readonly resolve: (answer: Answer | undefined) => void
  readonly reject: (error: unknown) => void
}

/**
 * Asks for many keys by one statement: those that are asked for in one turn, and what comes while as many statements as may be
 * are under way. Each question begins after it was asked, so that it sees what was committed before.
 */
export class Gathered<Key, Answer> {
  readonly #ask: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Answer>>
  readonly #most: { readonly keys: number; readonly statements: number }
  #waiting = new Map<Key, Waiting<Answer>[]>()
  #statements = 0
  #isAsked = false

  /** @param most keys of one statement, and statements under way at once */
  constructor(
    ask: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Answer>>,
    most: { readonly keys: number; readonly statements: number },
  ) {
    this.#ask = ask
    this.#most = most
  }

  /** Undefined: there is none. Rejects with what its statement failed of. */
  get(key: Key): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(key) ?? []
      this.#waiting.set(key, waiting)
      waiting.push({ resolve, reject })
      this.#flushSoon()
    })
  }

  /** Whoever was woken by the same commit asks in the same turn. */
  #flushSoon(): void {
    if (this.#isAsked || this.#statements >= this.#most.statements) return
    this.#isAsked = true
    queueMicrotask(() => {
      this.#isAsked = false
      this.#flush()
    })
  }

  #flush(): void {
    const keys = [...this.#waiting.keys()].slice(0, this.#most.keys)
    if (keys.length === 0) return
    const asked = keys.map((key) => ({ key, waiting: this.#waiting.get(key) ?? [] }))
    for (const key of keys) this.#waiting.delete(key)
    this.#statements++
    const left = () => {
      this.#statements--
      if (this.#waiting.size > 0) this.#flushSoon()
    }
    this.#ask(keys).then(
      (answers) => {
        left()
        for (const { key, waiting } of asked) for (const { resolve } of waiting) resolve(answers.get(key))
      },
      (error: unknown) => {
        left()
        for (const { waiting } of asked) for (const { reject } of waiting) reject(error)
      },
    )
    if (this.#waiting.size > 0) this.#flushSoon()
  }
}
