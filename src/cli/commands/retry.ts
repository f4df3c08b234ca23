import { type Command, clientOf, reasonFlag, serverFlags } from '../command.ts'
import { answered } from '../verb-answer.ts'

/** Runs a dead run again from its last checkpoint, or brings a waiting one forward. */
export const retry: Command = {
  name: 'retry',
  sentence: 'Runs a dead run again from its last checkpoint, or brings a waiting one forward.',
  takes: ['RUN'],
  flags: [reasonFlag, ...serverFlags],
  examples: ['hapax retry RUN --reason "the account exists now"'],
  async run(context, given) {
    const [id = ''] = given.positionals
    const reason = given.required('reason')

    return answered(context, given, await clientOf(context, given).runs.retry(id, { reason }))
  },
}
