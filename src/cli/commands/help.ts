import { nearest } from '../../kit/nearest.ts'
import { usage } from '../args.ts'
import { type Command, exitCodes } from '../command.ts'
import { helpOf, overview } from '../help-text.ts'
import { commands } from './commands.ts'

/** What there is, and how it is used. */
export const help: Command = {
  name: 'help',
  sentence: 'Shows what there is; with a verb, how it is used.',
  takes: ['[VERB]'],
  flags: [],
  examples: ['hapax help redrive'],
  async run(context, given) {
    const [name] = given.positionals
    const all = commands()
    if (name === undefined) {
      context.out(overview(all))
      return exitCodes.ok
    }
    const command = all.find((one) => one.name === name)
    if (!command) {
      const meant = nearest(
        name,
        all.map((one) => one.name),
      )
      throw usage(`there is no verb ${name}${meant === undefined ? '' : `; did you mean ${meant}?`}`)
    }
    context.out(helpOf(command))
    return exitCodes.ok
  },
}
