/**
 * Bytes that may be held at once. Ten thousand senders of a body each must not be able to fill the memory, however slowly
 * they send.
 */
export class ByteBudget {
  readonly #limit: number
  #held = 0

  constructor(limitBytes: number) {
    this.#limit = limitBytes
  }

  /** Takes the bytes and answers true, or takes none and answers false. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#limit) return false
    this.#held += bytes
    return true
  }

  give(bytes: number): void {
    this.#held -= bytes
  }

  get heldBytes(): number {
    return this.#held
  }
}
