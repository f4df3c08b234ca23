import { HapaxError, sentenceOf } from '../errors/hapax-error.ts'
import { asSentence } from '../errors/sentence.ts'
import { nearest } from '../kit/nearest.ts'
import { readArgs } from './args.ts'
import { type Context, exitCodes } from './command.ts'
import { commands } from './commands/commands.ts'
import { helpOf, overview } from './help-text.ts'

/** Runs one command line; answers the exit code. Never rejects: an error is told in its own words, without a stack. */
export async function runCli(context: Context, args: readonly string[]): Promise<number> {
  const [name, ...rest] = args
  const all = commands()
  if (name === undefined || name === '--help' || name === '-h') {
    context.out(overview(all))
    return name === undefined ? exitCodes.usage : exitCodes.ok
  }
  const command = all.find((one) => one.name === (name === '--version' || name === '-v' ? 'version' : name))
  if (!command) {
    const meant = nearest(
      name,
      all.map((one) => one.name),
    )
    context.err(
      `hapax: there is no verb ${name}${meant === undefined ? '.' : `; did you mean ${meant}?`} See hapax help.\n`,
    )
    return exitCodes.usage
  }
  try {
    const given = readArgs(command, rest)
    if (given.has('help')) {
      context.out(helpOf(command))
      return exitCodes.ok
    }
    return await command.run(context, given)
  } catch (error) {
    return failed(context, command.name, error)
  }
}

function failed(context: Context, name: string, error: unknown): number {
  if (!(error instanceof HapaxError)) {
    context.err(`hapax ${name}: ${asSentence(error instanceof Error ? error.message : String(error))}\n`)
    return exitCodes.failed
  }
  // The page of this very verb, instead of the cure that names all of them.
  const said = error.code === 'usage' ? `${sentenceOf(error)} See hapax help ${name}.` : error.message
  context.err(`hapax ${name}: ${said}\n`)
  if (error.code === 'usage') return exitCodes.usage
  if (error.code === 'not_found') return exitCodes.notFound
  if (error.code === 'server_unreachable') return exitCodes.unreachable
  return exitCodes.failed
}
