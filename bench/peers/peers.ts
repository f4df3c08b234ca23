import type { WorkName } from '../postgres/contestant.ts'

/** A peer as the report shows it. Its module needs the packages of `bench/package.json`; this list does not. */
export interface Peer {
  readonly name: string
  /** Its package, whose version is in the lockfile. */
  readonly package: string
  /** Beside `bench/postgres/side.ts`. */
  readonly module: string
  readonly works: readonly WorkName[]
  /** What is not its default, and how a work is done that can be done in more than one way. */
  readonly settings: readonly string[]
  /** What was tried beside them and was slower. */
  readonly tried: readonly string[]
}

/** Who is measured beside Hapax. */
export const peers: readonly Peer[] = []

/** Who cannot be, and why. */
export const unavailable: Readonly<Record<string, string>> = {}
