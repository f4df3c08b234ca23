import { usage } from '../args.ts'
import { type Command, exitCodes } from '../command.ts'
import { commands } from './commands.ts'

/** Completion for shells. */
export const completion: Command = {
  name: 'completion',
  sentence: 'Prints the completion script of a shell: bash, zsh or fish.',
  takes: ['SHELL'],
  flags: [],
  examples: ['source <(hapax completion bash)'],
  async run(context, given) {
    const [shell = ''] = given.positionals
    const script = { bash, zsh, fish }[shell]
    if (!script) throw usage(`completion knows bash, zsh and fish, not ${shell}`)
    context.out(script())
    return exitCodes.ok
  },
}

const verbs = (): string =>
  commands()
    .map((one) => one.name)
    .join(' ')
const flagsOf = (name: string): string =>
  commands()
    .find((one) => one.name === name)
    ?.flags.map((flag) => `--${flag.name}`)
    .join(' ') ?? ''

function bash(): string {
  const cases = commands().map((one) => `    ${one.name}) words="${flagsOf(one.name)}" ;;`)
  return `_hapax() {
  local words="${verbs()}"
  if [ "$COMP_CWORD" -gt 1 ]; then case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _hapax hapax
`
}

function zsh(): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bash()}`
}

function fish(): string {
  const first = commands().map(
    (one) => `complete -c hapax -n __fish_use_subcommand -a ${one.name} -d '${one.sentence.replaceAll("'", '’')}'`,
  )
  const flags = commands().flatMap((one) =>
    one.flags.map((flag) => `complete -c hapax -n '__fish_seen_subcommand_from ${one.name}' -l ${flag.name}`),
  )
  return `${[...first, ...flags].join('\n')}\n`
}
