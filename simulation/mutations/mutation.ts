import type { Invariant } from '../invariants.ts'

/** A seeded bug: one change of one place of the source, and the invariant that must notice. */
export interface Mutation {
  readonly name: string
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
  readonly killedBy: Invariant
  /** It is of limits: looked for in worlds that have a dependency; the others' seeds would move with each feature of limits. */
  readonly ofLimits?: true
  /** It is of features that came later: looked for in worlds that have them, without a dependency. */
  readonly ofFlow?: true
  /** The first seed that killed it; looked for again within 20 of it. */
  readonly seed: number
}
