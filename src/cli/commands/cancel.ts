import { type Command, clientOf, reasonFlag, serverFlags } from '../command.ts'
import { answered } from '../verb-answer.ts'

/** Ends a run; with undo, after undoing its steps in reverse. */
export const cancel: Command = {
  name: 'cancel',
  sentence: 'Ends a run; with undo, after undoing its steps in reverse.',
  takes: ['RUN'],
  flags: [
    reasonFlag,
    { name: 'undo', sentence: 'Undo its steps.' },
    { name: 'no-undo', sentence: 'Leave its steps as they are.' },
    ...serverFlags,
  ],
  examples: ['hapax cancel RUN --undo --reason "ordered by mistake"'],
  async run(context, given) {
    const [id = ''] = given.positionals
    const reason = given.required('reason')
    const undo = given.has('undo') ? true : given.has('no-undo') ? false : undefined
    return answered(
      context,
      given,
      await clientOf(context, given).runs.cancel(id, { reason, ...(undo !== undefined && { undo }) }),
    )
  },
}
