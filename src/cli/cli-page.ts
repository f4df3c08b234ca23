import { commands } from './commands/commands.ts'
import { codes, helpOf } from './help-text.ts'

/** docs/cli.md, from the help of each verb. */
export function cliPage(): string {
  const pages = commands().map((command) => `## ${command.name}\n\n\`\`\`\n${helpOf(command)}\`\`\`\n`)
  return `# Command line

Each verb is the same word in the library, the API and the history. Tables are for people, \`--json\` for machines. Verbs
that change something need a \`--reason\`, which is kept. This page is made from the verbs' own help.

Exit codes: ${codes()}.

${pages.join('\n')}`
}
