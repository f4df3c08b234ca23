import { readFileSync } from 'node:fs'
import { type Command, exitCodes } from '../command.ts'

/** Which Hapax this is. */
export const version: Command = {
  name: 'version',
  sentence: 'Shows the version.',
  takes: [],
  flags: [],
  examples: ['hapax version'],
  async run(context) {
    // Two levels up from src/cli/commands and from dist/cli/commands alike.
    const manifest: { version: string } = JSON.parse(
      readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
    )
    context.out(`hapax ${manifest.version}\n`)
    return exitCodes.ok
  },
}
