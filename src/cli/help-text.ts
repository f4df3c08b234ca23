import { type Command, exitCodes } from './command.ts'

/** All verbs, one a line. */
export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((one) => one.name.length))
  const lines = commands.map((one) => `  ${one.name.padEnd(width)}  ${one.sentence}`)
  return `hapax: every request or event handled once

${lines.join('\n')}

How one is used: hapax help VERB
Exit codes: ${codes()}
`
}

/** One verb: how it is called, its options, examples. */
export function helpOf(command: Command): string {
  const flags = command.flags.map(
    (flag) => [`--${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}`, flag.sentence] as const,
  )
  const width = Math.max(0, ...flags.map(([flag]) => flag.length))
  return `${command.sentence}

  hapax ${[command.name, ...command.takes].join(' ')}${flags.length ? ' [OPTIONS]' : ''}
${flags.length ? `\n${flags.map(([flag, sentence]) => `  ${flag.padEnd(width)}  ${sentence}`).join('\n')}\n` : ''}
${command.examples.map((example) => `  $ ${example}`).join('\n')}
`
}

/** What a process ends with, in a line. */
export function codes(): string {
  const says: Record<keyof typeof exitCodes, string> = {
    ok: 'done',
    failed: 'failed or refused',
    usage: 'not understood',
    notFound: 'not found',
    unreachable: 'server not reached',
    pending: 'asked, not answered yet',
  }
  return Object.entries(exitCodes)
    .map(([name, code]) => `${code} ${says[name as keyof typeof exitCodes]}`)
    .join(', ')
}
