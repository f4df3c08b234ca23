import { parseArgs } from 'node:util'
import { HapaxError } from '../errors/hapax-error.ts'
import { asSentence } from '../errors/sentence.ts'
import { nearest } from '../kit/nearest.ts'
import type { Command } from './command.ts'

/** What was given to a command. */
export interface Given {
  readonly positionals: readonly string[]
  text(flag: string): string | undefined
  has(flag: string): boolean
  /** @throws `usage` where it is missing */
  required(flag: string): string
}

/**
 * Reads what comes after the verb.
 *
 * @throws `usage` with what was meant
 */
export function readArgs(command: Command, args: readonly string[]): Given {
  const flags = [...command.flags, { name: 'help', sentence: '' }]
  const known = flags.map((flag) => flag.name)
  const options = Object.fromEntries(
    flags.map((flag) => [
      flag.name,
      { type: 'value' in flag && flag.value ? ('string' as const) : ('boolean' as const) },
    ]),
  )
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true })
  const values = new Map<string, string | true>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const flag = flags.find((one) => one.name === token.name)
    if (!flag) {
      const meant = nearest(token.name, known)
      throw usage(
        `${command.name} has no option ${token.rawName}${meant === undefined ? '' : `; did you mean --${meant}?`}`,
      )
    }
    const takes = 'value' in flag && flag.value !== undefined
    if (takes && token.value === undefined) throw usage(`--${flag.name} needs a value`)
    if (!takes && token.value !== undefined) throw usage(`--${flag.name} takes no value`)
    values.set(flag.name, token.value ?? true)
  }
  const least = command.takes.filter((name) => !name.startsWith('[')).length
  if (values.get('help') === undefined && positionals.length < least)
    throw usage(`${command.name} needs ${command.takes.slice(positionals.length, least).join(' and ')}`)
  if (positionals.length > command.takes.length)
    throw usage(`${command.name} does not take "${positionals[command.takes.length]}"`)
  return {
    positionals,
    text: (flag) => {
      const value = values.get(flag)
      return typeof value === 'string' ? value : undefined
    },
    has: (flag) => values.has(flag),
    required: (flag) => {
      const value = values.get(flag)
      if (typeof value !== 'string' || value === '') throw usage(`${command.name} needs --${flag}`)
      return value
    },
  }
}

/** A whole number that a flag may hold. */
export function numberIn(given: Given, flag: string): number | undefined {
  const text = given.text(flag)
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw usage(`--${flag} wants a whole number, found "${text}"`)
  return Number(text)
}

/** JSON that a flag may hold. */
export function jsonIn(given: Given, flag: string): unknown {
  const text = given.text(flag)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw usage(`--${flag} wants JSON; a text needs its quotes: '"like this"'`)
  }
}

/** An error of the command line. */
export function usage(reason: string): HapaxError {
  return new HapaxError('usage', { reason: asSentence(reason) })
}
