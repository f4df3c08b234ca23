/** What the witnesses write, one JSON line each. Each file has its own order; the files know nothing of each other. */

/** The sender's ledger: a request that left for the first time, by the sender's clock. */
export interface Sent {
  readonly id: string
  readonly tenant: string
  readonly orderKey?: string
  readonly at: number
}

/** The sender's ledger: a definite answer. */
export interface Answered {
  readonly answered: string
  readonly outcome: string
  readonly eventKey: string
  readonly at: number
  /** Whether this request bore another content. */
  readonly altered: boolean
}

/** The receiver's log: an attempt came to its first line, into a step, or to its last line. */
export interface Effect {
  readonly id: string
  readonly tenant: string
  readonly attempt: number
  readonly pid: number
  /** `begin`, a step's name, or `end`. */
  readonly what: string
  /** The step's key; at the end, the result. */
  readonly value: string
}

/** The history read back: an event, with its run if it has one. */
export interface OnRecord {
  readonly id: string
  readonly eventKey: string
  readonly tenant: string
  readonly status?: string
  /** JSON text. */
  readonly result?: string
}

/** The steps of every run, in their order. */
export const steps: readonly string[] = ['authorise', 'capture', 'notify']

/** One whole history. */
export interface History {
  readonly ledger: readonly (Sent | Answered)[]
  readonly effects: readonly Effect[]
  readonly record: readonly OnRecord[]
}

/** A rule that is broken, and by what. */
export interface Violation {
  readonly rule: string
  readonly says: string
}
