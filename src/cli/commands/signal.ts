import { jsonIn } from '../args.ts'
import { type Command, clientOf, serverFlags } from '../command.ts'
import { answered } from '../verb-answer.ts'

/** Sends a signal to a run. */
export const signal: Command = {
  name: 'signal',
  sentence: 'Sends a signal to a run; it may come before the run waits for it.',
  takes: ['RUN', 'NAME'],
  flags: [
    { name: 'payload', value: 'JSON', sentence: 'What run.waitFor resolves to. Default null.' },
    { name: 'id', value: 'ID', sentence: 'The same id again is the same signal.' },
    ...serverFlags,
  ],
  examples: ['hapax signal RUN approved --payload \'{"by":"ann"}\''],
  async run(context, given) {
    const [id = '', name = ''] = given.positionals
    const signalId = given.text('id')
    const payload = jsonIn(given, 'payload') ?? null
    const { runs } = clientOf(context, given)
    return answered(
      context,
      given,
      await runs.signal(id, name, payload, signalId === undefined ? {} : { id: signalId }),
    )
  },
}
