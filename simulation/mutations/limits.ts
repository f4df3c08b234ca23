import type { Mutation } from './mutation.ts'

const circuit = 'src/flow/circuit.ts'

/** In what nodes share, and in what a dependency that is down costs. */
export const ofLimits: readonly Mutation[] = [
  {
    name: 'a part of a limit that others have still',
    file: 'src/store/shared-limits.ts',
    find: 'Math.min(part, claim.amount - lent)',
    replace: 'part',
    killedBy: 'G8.concurrency',
    seed: 34,
  },
  {
    name: 'a share that becomes smaller counts as such before its node has heard of it',
    file: 'src/store/memory/own.ts',
    find: 'Math.max(share, claim.held)',
    replace: 'share',
    killedBy: 'G8.concurrency',
    seed: 132,
  },
  {
    name: 'a rate that is half as slow',
    file: 'src/flow/rate-limit.ts',
    find: '+ 1_000 / this.#perSecond',
    replace: '+ 500 / this.#perSecond',
    killedBy: 'G8.rate',
    seed: 9,
  },
  {
    name: 'a dependency with one slot too many',
    file: 'src/flow/slots.ts',
    find: 'this.#taken < this.#most',
    replace: 'this.#taken <= this.#most',
    killedBy: 'G8.concurrency',
    seed: 34,
  },
  {
    name: 'a circuit that is open and lets through',
    file: circuit,
    find: "return this.#isOpening || (this.#record !== undefined && this.#record.state !== 'closed')",
    replace: 'return this.#isOpening',
    killedBy: 'G8.open',
    seed: 22,
  },
  {
    name: 'a probe of two at once',
    file: circuit,
    find: "this.#probe = 'out'\n    return 'probe'",
    replace: "return 'probe'",
    killedBy: 'G8.open',
    seed: 29,
  },
  {
    name: 'a circuit that everybody turns',
    file: 'src/store/circuits.ts',
    find: '(before?.version ?? 0) !== turn.seen',
    replace: 'false',
    killedBy: 'G8.open',
    seed: 170,
  },
  {
    name: 'parking that costs an attempt',
    file: 'src/engine/decide.ts',
    find: "status: undoing ? 'undoing' : 'parked',",
    replace: "status: undoing ? 'undoing' : 'parked', failures: failures + 1,",
    killedBy: 'G8.attempts',
    seed: 3,
  },
  {
    name: 'an attempt given back that no outage took',
    file: 'src/engine/runner.ts',
    find: 'return dependencies.named(state.dependency).wasDown(state.since)',
    replace: 'return true',
    killedBy: 'G8.attempts',
    seed: 22,
  },
  {
    name: 'a line of which nothing stays in memory',
    file: 'src/engine/ready-queue.ts',
    find: '> bounds.perKey\n',
    replace: '>= 0\n',
    killedBy: 'G5.ends',
    seed: 137,
  },
]
