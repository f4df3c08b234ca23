import type { RunState } from '../../src/event/run.ts'

/** One attempt, where and when the handler was entered. */
export interface Entered {
  readonly run: string
  readonly generation: number
  readonly attempt: number
  /** One start of one node. */
  readonly node: string
}

/** What is known of one run. */
export class RunFacts {
  readonly id: string
  readonly event: string
  readonly tag: string
  /** Handler's name and identity, for people. */
  name: string
  handler: string | undefined
  state: RunState | undefined
  /** Settlements that the store wrote. */
  settlements = 0
  /** A replay with new keys was asked for so often. */
  newKeysAsked = 0
  /** How often a person said that a step in doubt may be done again. */
  repeatsAllowed = 0
  /** A new checkpoint since the last settlement. */
  progressed = false
  /** The generation that was entered last. */
  enteredGeneration = 0
  firstEnteredAtMs: number | undefined
  /** Verbs that the store has and no owner has answered. */
  readonly unanswered = new Set<string>()
  /** Steps that left a begin: their call may never have come, and the engine does not know. */
  readonly stepsBegun = new Set<string>()
  /** What the store wrote, by the name of its item, with the epoch. */
  readonly written = new Map<string, number>()
  readonly #entered = new Map<string, number>()
  readonly #lineages = new Map<number, number>([[1, 1]])

  constructor(id: string) {
    this.id = id
    this.event = id.slice(0, 26)
    this.tag = id.slice(27)
    this.name = id.slice(-15)
  }

  enter(at: Entered, nowMs: number): void {
    const name = attemptName(at)
    if (!this.#entered.has(name)) this.#entered.set(name, nowMs)
    this.enteredGeneration = Math.max(this.enteredGeneration, at.generation)
    this.firstEnteredAtMs ??= nowMs
  }

  /** When this attempt began on this node. */
  enteredAtMs(at: Entered): number {
    return this.#entered.get(attemptName(at)) ?? 0
  }

  /** Generations that keep each other's checkpoints are one lineage: what was done once is done. */
  lineageOf(generation: number): number {
    return this.#lineages.get(generation) ?? generation
  }

  opened(generation: number, keeps: boolean): void {
    this.#lineages.set(generation, keeps ? this.lineageOf(generation - 1) : generation)
  }
}

function attemptName({ node, generation, attempt }: Entered): string {
  return `${node} ${generation}.${attempt}`
}
