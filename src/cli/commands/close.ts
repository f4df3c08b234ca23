import { type Command, clientOf, exitCodes, reasonFlag, serverFlags } from '../command.ts'
import { users } from '../matching.ts'
import { json } from '../print.ts'

/** Closes the circuit of a dependency on all nodes. */
export const close: Command = {
  name: 'close',
  sentence: 'Closes the circuit of a dependency on all nodes, without a probe: what was parked comes back in waves.',
  takes: ['NAME'],
  flags: [reasonFlag, ...serverFlags],
  examples: ['hapax close bank --reason "they say that they are back"'],
  async run(context, given) {
    const [name = ''] = given.positionals
    const view = await clientOf(context, given).controls.close(name, { reason: given.required('reason') })
    context.out(given.has('json') ? json(view) : `${name} is closed${users(view.handlers.length)}\n`)
    return exitCodes.ok
  },
}
