import { usage } from '../args.ts'
import { type Command, clientOf, exitCodes, reasonFlag, serverFlags } from '../command.ts'
import { matching } from '../matching.ts'
import { json } from '../print.ts'

/** Lets the runs of a handler or source go on. */
export const resume: Command = {
  name: 'resume',
  sentence: 'Lets the runs of a handler or source go on.',
  takes: ['handler|source', 'NAME'],
  flags: [reasonFlag, ...serverFlags],
  examples: ['hapax resume handler settle-order --reason "the bank asked"'],
  async run(context, given) {
    const [what, name = ''] = given.positionals
    if (what !== 'handler' && what !== 'source') throw usage('resume takes "handler" or "source" and a name')
    const answer = await clientOf(context, given).controls.resume(what, name, { reason: given.required('reason') })
    context.out(given.has('json') ? json(answer) : `${what} ${name} is resumed${matching(what, answer)}\n`)
    return exitCodes.ok
  },
}
