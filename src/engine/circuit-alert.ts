import type { Occurrence } from '../event/alert.ts'
import type { DependencyState } from '../flow/dependency-state.ts'
import type { CircuitRecord } from '../store/circuits.ts'

/** Why a circuit turns where nobody turned it. */
const ofTheEngine: ReadonlySet<string> = new Set(['failures', 'configuration', 'probe', 'recovered'])

/** What the turn of a circuit tells people: that it opened, and that it closed; not each probe. */
export function circuitAlert({
  dependency,
  state,
  version,
  since,
  openedAt,
  reason,
}: CircuitRecord): Occurrence | undefined {
  // What an operator wrote may say anything.
  const why = ofTheEngine.has(reason) ? reason : 'by hand'
  const details = { dependency, reason: why, version }
  if (state === 'closed')
    return {
      kind: 'circuit_closed',
      subject: dependency,
      message: `${dependency} is called again, after ${Math.round((since - openedAt) / 1_000)} s.`,
      details,
      lasting: false,
    }
  if (state === 'probing' || since !== openedAt) return undefined
  const cure = why === 'configuration' ? 'It refuses us: look at its credentials and certificates.' : ''
  return {
    kind: 'circuit_opened',
    subject: dependency,
    message: `${dependency} is not called any more: ${why}. Runs that need it are parked. ${cure}`.trim(),
    details,
    lasting: false,
  }
}

/** Runs that wait for a dependency that is down, as long as they do. */
export function parkedAlert({ name, circuit, use }: DependencyState): Occurrence | undefined {
  if (!circuit.isOpen || use.waiting === 0) return undefined
  return {
    kind: 'runs_parked',
    subject: name,
    message: `${use.waiting} runs of this node are parked: ${name} is down. They come back by themselves.`,
    details: { dependency: name, waiting: use.waiting },
    lasting: true,
  }
}
