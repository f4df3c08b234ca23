import { usage } from '../args.ts'
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
    { name: 'of', value: 'ITEM', sentence: 'Its item, where it is one of a loop.' },
    { name: 'new-keys', sentence: 'New step keys: other services will see new requests.' },
    ...serverFlags,
  ],
  examples: ['hapax replay RUN --from-step book --reason "booked wrongly"'],
  async run(context, given) {
    const [id = ''] = given.positionals
    const reason = given.required('reason')
    const fromStep = given.text('from-step')
    const of = given.text('of')
    if (of !== undefined && fromStep === undefined) throw usage('--of names an item of --from-step, which is missing')
    return answered(
      context,
      given,
      await clientOf(context, given).runs.replay(id, {
        reason,
        ...(fromStep !== undefined && { fromStep }),
        ...(of !== undefined && { of }),
        ...(given.has('new-keys') && { newKeys: true }),
      }),
    )
  },
}
