import { found } from '../errors/config-invalid.ts'
import { countProblems, isName, names, spanProblems } from '../kit/option-problems.ts'
import { ratePerSecond } from '../kit/rate.ts'
import type { CallVerdict } from './call-failure.ts'
import type { DependencyOptions } from './dependency.ts'

/** All that is wrong with how a dependency is declared. */
export function dependencyProblems(name: unknown, options: DependencyOptions): string[] {
  if (typeof options !== 'object' || options === null)
    return ['options: wanted { timeout, rate, concurrency, circuit }']
  const { timeout, rate, concurrency, circuit, wait, statuses, fetch, classify } = options
  return [
    ...(isName(name) ? [] : [`name: wanted ${names}`]),
    ...spanProblems('timeout', timeout, 1),
    ...spanProblems('wait', wait, 1),
    ...(rate === undefined || ratePerSecond(rate) !== undefined
      ? []
      : [`rate: wanted how often, like '100/s' or '5/m', found ${found(rate)}`]),
    ...countProblems('concurrency', concurrency),
    ...(circuit === undefined ? [] : circuitProblems(circuit)),
    ...(statuses === undefined ? [] : statusProblems(statuses)),
    ...(fetch === undefined || typeof fetch === 'function' ? [] : ['fetch: wanted a function like the global fetch']),
    ...(classify === undefined || typeof classify === 'function' ? [] : ['classify: wanted a function of the error']),
  ]
}

function circuitProblems(circuit: unknown): string[] {
  if (typeof circuit !== 'object' || circuit === null) return ['circuit: wanted { failures, within, cooldown }']
  return [
    ...countProblems('circuit.failures', 'failures' in circuit ? circuit.failures : undefined),
    ...spanProblems('circuit.within', 'within' in circuit ? circuit.within : undefined, 1),
    ...spanProblems('circuit.cooldown', 'cooldown' in circuit ? circuit.cooldown : undefined, 1),
  ]
}

const verdicts: readonly unknown[] = ['transient', 'later', 'fatal', 'configuration'] satisfies CallVerdict[]

function statusProblems(statuses: unknown): string[] {
  if (typeof statuses !== 'object' || statuses === null) return ["statuses: wanted like { 404: 'transient' }"]
  return Object.entries(statuses).flatMap(([status, verdict]) => [
    ...(/^[345]\d\d$/.test(status) ? [] : [`statuses: wanted a status of 300 to 599, found ${found(status)}`]),
    ...(verdicts.includes(verdict)
      ? []
      : [`statuses.${status}: wanted ${verdicts.join(', ')}, found ${found(verdict)}`]),
  ])
}
