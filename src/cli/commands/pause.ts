import { type Command, clientOf, exitCodes, reasonFlag, serverFlags } from '../command.ts'
import { matching, pausable } from '../matching.ts'
import { json } from '../print.ts'

/** Holds the runs of a handler, of a source, or of handlers that use a dependency; what executes goes on. */
export const pause: Command = {
  name: 'pause',
  sentence: 'Holds the runs of a handler, of a source, or of handlers that use a dependency; what executes goes on.',
  takes: ['handler|source|dependency', 'NAME'],
  flags: [reasonFlag, ...serverFlags],
  examples: [
    'hapax pause handler settle-order --reason "the bank asked"',
    'hapax pause dependency bank --reason "it is moved tonight"',
  ],
  async run(context, given) {
    const [word, name = ''] = given.positionals
    const what = pausable('pause', word)
    const answer = await clientOf(context, given).controls.pause(what, name, { reason: given.required('reason') })
    context.out(given.has('json') ? json(answer) : `${what} ${name} is paused${matching(what, answer)}\n`)
    return exitCodes.ok
  },
}
