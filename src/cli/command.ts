import type { HapaxClient } from '../client/http-client.ts'
import type { Clock } from '../kit/clock.ts'
import type { Random } from '../kit/random.ts'
import type { Given } from './args.ts'

/** What a process ends with. */
export const exitCodes = {
  ok: 0,
  /** It failed, or was refused. */
  failed: 1,
  /** The command line is not understood. */
  usage: 2,
  /** There is no such event or run. */
  notFound: 3,
  /** The server cannot be reached. */
  unreachable: 4,
  /** Asked, but not answered yet by the run's owner. */
  pending: 5,
} as const

/** A process of this command line's own. */
export interface Child {
  /** Asks it to stop gracefully. */
  stop(): void
  /** Its exit code. */
  readonly ended: Promise<number>
}

/** What a command works with; `process` is touched in main.ts alone. */
export interface Context {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Whether a person reads it. */
  readonly tty: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly clock: Clock
  readonly random: Random
  /** A client of the server at `--url`. */
  readonly client: (url: string) => HapaxClient
  readonly stdin: () => Promise<Uint8Array>
  /** Resolves at the first SIGINT or SIGTERM. */
  readonly stopped: () => Promise<void>
  /** Starts this command line again, in a process of its own. */
  readonly spawn: (args: readonly string[]) => Child
}

/** One option of a command. */
export interface Flag {
  readonly name: string
  /** What its value is called; absent: it takes none. */
  readonly value?: string
  readonly sentence: string
}

/** One verb. */
export interface Command {
  readonly name: string
  readonly sentence: string
  /** Names of what comes after the verb; in brackets where it may be left out. */
  readonly takes: readonly string[]
  readonly flags: readonly Flag[]
  readonly examples: readonly string[]
  run(context: Context, given: Given): Promise<number>
}

/** Of every verb that asks a running server. */
export const serverFlags: readonly Flag[] = [
  { name: 'url', value: 'URL', sentence: 'The server; else HAPAX_URL, else http://127.0.0.1:4400.' },
  { name: 'json', sentence: 'JSON for machines.' },
]

/** Of every verb that changes something: on record with it. */
export const reasonFlag: Flag = { name: 'reason', value: 'TEXT', sentence: 'Why; kept with what it changes. Required.' }

/** The client that the flags and the environment name. */
export function clientOf(context: Context, given: Given): HapaxClient {
  return context.client(given.text('url') ?? context.env.HAPAX_URL ?? 'http://127.0.0.1:4400')
}
