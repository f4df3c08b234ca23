import { type Command, clientOf, exitCodes, reasonFlag, serverFlags } from '../command.ts'
import { users } from '../matching.ts'
import { json } from '../print.ts'

/** Opens the circuit of a dependency on all nodes. */
export const open: Command = {
  name: 'open',
  sentence: 'Opens the circuit of a dependency on all nodes and holds it open: no call goes, runs are parked.',
  takes: ['NAME'],
  flags: [reasonFlag, ...serverFlags],
  examples: ['hapax open bank --reason "they are moving their data centre"'],
  async run(context, given) {
    const [name = ''] = given.positionals
    const view = await clientOf(context, given).controls.open(name, { reason: given.required('reason') })
    const said = `${name} is open until hapax close ${name}${users(view.handlers.length)}\n`
    context.out(given.has('json') ? json(view) : said)
    return exitCodes.ok
  },
}
