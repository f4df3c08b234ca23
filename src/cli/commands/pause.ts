import { usage } from '../args.ts'
import { type Command, clientOf, exitCodes, reasonFlag, serverFlags } from '../command.ts'
import { matching } from '../matching.ts'
import { json } from '../print.ts'

/** Holds the runs of a handler, or of a source; what executes goes on. */
export const pause: Command = {
  name: 'pause',
  sentence: 'Holds the runs of a handler, or of a source; what executes goes on.',
  takes: ['handler|source', 'NAME'],
  flags: [reasonFlag, ...serverFlags],
  examples: ['hapax pause handler settle-order --reason "the bank asked"'],
  async run(context, given) {
    const [what, name = ''] = given.positionals
    if (what !== 'handler' && what !== 'source') throw usage('pause takes "handler" or "source" and a name')
    const answer = await clientOf(context, given).controls.pause(what, name, { reason: given.required('reason') })
    context.out(given.has('json') ? json(answer) : `${what} ${name} is paused${matching(what, answer)}\n`)
    return exitCodes.ok
  },
}
