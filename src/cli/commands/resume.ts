import { type Command, clientOf, exitCodes, reasonFlag, serverFlags } from '../command.ts'
import { matching, pausable } from '../matching.ts'
import { json } from '../print.ts'

/** Lets the runs of a handler, a source or a dependency go on. */
export const resume: Command = {
  name: 'resume',
  sentence: 'Lets the runs of a handler, a source or a dependency go on.',
  takes: ['handler|source|dependency', 'NAME'],
  flags: [reasonFlag, ...serverFlags],
  examples: ['hapax resume handler settle-order --reason "the bank asked"'],
  async run(context, given) {
    const [word, name = ''] = given.positionals
    const what = pausable('resume', word)
    const answer = await clientOf(context, given).controls.resume(what, name, { reason: given.required('reason') })
    context.out(given.has('json') ? json(answer) : `${what} ${name} is resumed${matching(what, answer)}\n`)
    return exitCodes.ok
  },
}
