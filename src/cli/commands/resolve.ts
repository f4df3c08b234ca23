import { jsonIn, usage } from '../args.ts'
import { type Command, clientOf, reasonFlag, serverFlags } from '../command.ts'
import { answered } from '../verb-answer.ts'

/** Decides a step in doubt. */
export const resolve: Command = {
  name: 'resolve',
  sentence: 'Decides a step in doubt: it happened with this result, is to be repeated, or the run fails.',
  takes: ['RUN'],
  flags: [
    reasonFlag,
    { name: 'step', value: 'NAME', sentence: 'The step in doubt. Required.' },
    { name: 'of', value: 'ITEM', sentence: 'Its item, where it is one of a loop.' },
    { name: 'result', value: 'JSON', sentence: 'It happened: this is its result.' },
    { name: 'repeat', sentence: 'It did not happen: repeat it.' },
    { name: 'fail', sentence: 'Give up: the run is dead.' },
    ...serverFlags,
  ],
  examples: ['hapax resolve RUN --step mail --result \'"sent"\' --reason "it is in the outbox"'],
  async run(context, given) {
    const [id = ''] = given.positionals
    const of = given.text('of')
    const base = { reason: given.required('reason'), step: given.required('step'), ...(of !== undefined && { of }) }
    const ways = [given.text('result') !== undefined, given.has('repeat'), given.has('fail')].filter(Boolean).length
    if (ways !== 1) throw usage('resolve needs one of --result, --repeat and --fail')
    const { runs } = clientOf(context, given)
    if (given.has('repeat')) return answered(context, given, await runs.resolve(id, { ...base, repeat: true }))
    if (given.has('fail')) return answered(context, given, await runs.resolve(id, { ...base, fail: true }))
    return answered(context, given, await runs.resolve(id, { ...base, result: jsonIn(given, 'result') }))
  },
}
