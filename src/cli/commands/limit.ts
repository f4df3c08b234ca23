import { isRate, type Rate } from '../../kit/rate.ts'
import { type Given, numberIn, usage } from '../args.ts'
import { type Command, clientOf, exitCodes, reasonFlag, serverFlags } from '../command.ts'
import { users } from '../matching.ts'
import { json } from '../print.ts'
import { limitsText } from './dependencies.ts'

/** Sets the limits of a dependency over all nodes. */
export const limit: Command = {
  name: 'limit',
  sentence:
    'Sets limits of a dependency over all nodes, in the place of those that the code declares; what is left out is as declared, without both all is again.',
  takes: ['NAME'],
  flags: [
    { name: 'rate', value: 'RATE', sentence: 'Calls over all nodes, like 50/s, 5/m or 1000/h.' },
    { name: 'concurrency', value: 'N', sentence: 'Calls at once over all nodes.' },
    reasonFlag,
    ...serverFlags,
  ],
  examples: [
    'hapax limit bank --rate 50/s --concurrency 5 --reason "they asked for less"',
    'hapax limit bank --reason "as declared again"',
  ],
  async run(context, given) {
    const [name = ''] = given.positionals
    const reason = given.required('reason')
    const wanted = { rate: rateIn(given, 'rate'), concurrency: numberIn(given, 'concurrency') }
    const view = await clientOf(context, given).controls.limit(name, wanted, { reason })
    const holds = limitsText(view.limits)
    const how = view.setting ? `is limited to ${holds}` : `has its declared limits again (${holds})`
    const said = `${name} ${how}${users(view.handlers.length)}\n`
    context.out(given.has('json') ? json(view) : said)
    return exitCodes.ok
  },
}

function rateIn(given: Given, flag: string): Rate | undefined {
  const text = given.text(flag)
  if (text === undefined || isRate(text)) return text
  throw usage(`--${flag} wants how often, like 100/s or 5/m, found "${text}"`)
}
