import { type Command, clientOf, reasonFlag, serverFlags } from '../command.ts'
import { answered } from '../verb-answer.ts'

/** Runs a run again in a new generation, without its checkpoints or from a step on. */
export const replay: Command = {
  name: 'replay',
  sentence: 'Runs a run again in a new generation, without its checkpoints or from a step on.',
  takes: ['RUN'],
  flags: [
    reasonFlag,
    { name: 'from-step', value: 'NAME', sentence: 'Keeps the checkpoints before this step.' },
    { name: 'new-keys', sentence: 'New step keys: other services will see new requests.' },
    ...serverFlags,
  ],
  examples: ['hapax replay RUN --from-step book --reason "booked wrongly"'],
  async run(context, given) {
    const [id = ''] = given.positionals
    const reason = given.required('reason')
    const fromStep = given.text('from-step')
    return answered(
      context,
      given,
      await clientOf(context, given).runs.replay(id, {
        reason,
        ...(fromStep !== undefined && { fromStep }),
        ...(given.has('new-keys') && { newKeys: true }),
      }),
    )
  },
}
