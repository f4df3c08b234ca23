import type { DependencyView } from '../../engine/api.ts'
import { shortTime } from '../../kit/iso-time.ts'
import { rateText } from '../../kit/rate.ts'
import { type Command, clientOf, exitCodes, serverFlags } from '../command.ts'
import { facts, json, table } from '../print.ts'

const headings = [
  'DEPENDENCY',
  'CIRCUIT',
  'SINCE (UTC)',
  'WHY',
  'RATE',
  'AT ONCE',
  'WAITING',
  'ACTIVE',
  'CALLS',
  'FAILURES',
  'HANDLERS',
  '',
]

/** What runs call: a list, or one with all that is known of it. */
export const dependencies: Command = {
  name: 'dependencies',
  sentence:
    'Lists dependencies: which are down, since when and why, their limits, and on the node that is asked the runs that wait for them and their calls. Or shows one.',
  takes: ['[NAME]'],
  flags: serverFlags,
  examples: ['hapax dependencies', 'hapax dependencies bank'],
  async run(context, given) {
    const { controls } = clientOf(context, given)
    const [name] = given.positionals
    if (name !== undefined) {
      const view = await controls.dependency(name)
      context.out(given.has('json') ? json(view) : facts(factsOf(view)))
      return exitCodes.ok
    }
    const listed = await controls.dependencies()
    context.out(
      given.has('json') ? json({ dependencies: listed }) : table(headings, listed.map(rowOf), 'No dependencies.'),
    )
    return exitCodes.ok
  },
}

function rowOf(view: DependencyView): readonly unknown[] {
  const { name, turned, limits, setting, handlers, here } = view
  return [
    name,
    circuitOf(view),
    turned && shortTime(turned.since),
    turned?.reason.slice(0, 60),
    limits.rate === undefined ? '' : `${rateText(limits.rate)}${setting?.rate === undefined ? '' : ' (set)'}`,
    limits.concurrency === undefined
      ? ''
      : `${limits.concurrency}${setting?.concurrency === undefined ? '' : ' (set)'}`,
    here.waiting,
    here.active,
    here.calls,
    here.failures,
    handlers.join(', '),
    view.paused && 'PAUSED',
  ]
}

/** Open until somebody closes it, or until a probe finds the other side up. */
function circuitOf({ circuit, turned }: DependencyView): string {
  return circuit === 'open' && turned && turned.probeAt === undefined ? 'open, held' : circuit
}

function factsOf(view: DependencyView): (readonly [string, unknown])[] {
  const { name, circuit, turned, declared, limits, setting, paused, handlers, here } = view
  const isDown = circuit !== 'closed'
  return [
    ['dependency', name],
    ['circuit', circuitOf(view)],
    ['since', turned && shortTime(turned.since)],
    [isDown ? 'down since' : 'was down from', turned && shortTime(turned.openedAt)],
    ['probe from', turned?.probeAt === undefined ? undefined : shortTime(turned.probeAt)],
    ['why', turned?.reason],
    ['by', turned?.actor],
    ['limits', limitsText(limits)],
    ['declared', limitsText(declared)],
    [
      'set',
      setting && `${limitsText(setting)}, ${shortTime(setting.since)} by ${setting.actor}: ${setting.reason ?? ''}`,
    ],
    ['paused', paused && `${shortTime(paused.since)} by ${paused.actor}: ${paused.reason ?? ''}`],
    ['handlers', handlers.join(', ')],
    ['runs here', `${here.waiting} waiting, ${here.active} active`],
    ['calls here', `${here.calls}, ${here.failures} of them failed`],
  ]
}

/** Limits for people. */
export function limitsText({ rate, concurrency }: DependencyView['limits']): string {
  const said = [rate === undefined ? '' : rateText(rate), concurrency === undefined ? '' : `${concurrency} at once`]
  return said.filter(Boolean).join(', ') || 'none'
}
