import * as accept from './accept.ts'
import * as backlog from './backlog.ts'
import * as flow from './flow.ts'
import * as ingress from './ingress.ts'
import * as latency from './latency.ts'
import * as wholeLife from './whole-life.ts'

/** Every side by its name, as `bench/side.ts` is asked for it. */
export const sides = { ...accept, ...wholeLife, ...backlog, ...latency, ...ingress, ...flow } as const

/** A side's name. */
export type SideName = keyof typeof sides
