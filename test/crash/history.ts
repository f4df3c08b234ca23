import type { RunStatus } from '../../src/event/run-status.ts'
import type { types } from './shared.ts'

/** What the senders know by themselves of one event. */
export interface SentEvent {
  readonly id: string
  readonly type: (typeof types)[number]
  /** Of a `queued` event. */
  readonly orderKey: string | undefined
  /** When its first request left, by the senders' clock. */
  readonly sentAt: number
  /** Every definite answer to a request with this id, in their order. */
  readonly answers: readonly {
    readonly outcome: string
    readonly eventKey: string
    readonly at: number
    /** Whether this request bore another content. */
    readonly altered: boolean
  }[]
}

/** One line of the effects' file: an attempt came to its first line, into a step, or to its last line. */
export interface Effect {
  readonly id: string
  readonly attempt: number
  readonly pid: number
  readonly what: string
}

/** What the server has on record at the end, read through its API. */
export interface OnRecord {
  readonly events: readonly { readonly id: string; readonly eventKey: string }[]
  readonly runs: readonly {
    readonly eventKey: string
    readonly status: RunStatus
    readonly reason: string | undefined
  }[]
  /** Rows that the transactions wrote, by event id. */
  readonly bookings: readonly string[]
}

/** A process that the test killed, and when, by the senders' clock. */
export interface Kill {
  readonly pid: number
  readonly at: number
}

/** One whole history: witnesses that know nothing of each other. */
export interface History {
  readonly sent: readonly SentEvent[]
  readonly effects: readonly Effect[]
  readonly kills: readonly Kill[]
  readonly record: OnRecord
}

/** Closes each line of an effects' file. */
export const lineEnd = '.'

/**
 * The text of one effect. Apart from what was written before: a kill in the middle of a write leaves a line without its
 * end, and the next process's would be appended to it (seen once: `event-882event-1375`).
 */
export function lineOf({ id, attempt, pid, what }: Effect): string {
  return `\n${id} ${attempt} ${pid} ${what} ${lineEnd}\n`
}

/** The whole lines of an effects' file; what repeats is kept once, since a long run writes five million of them. */
export function effectsOf(text: string): Effect[] {
  const words = new Map<string, string>()
  const once = (word: string): string => {
    const kept = words.get(word)
    if (kept !== undefined) return kept
    words.set(word, word)
    return word
  }
  const effects: Effect[] = []
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start)
    const line = text.slice(start, end < 0 ? undefined : end).split(' ')
    const [id = '', attempt = '', pid = '', what = '', mark] = line
    if (mark === lineEnd) effects.push({ id: once(id), attempt: Number(attempt), pid: Number(pid), what: once(what) })
    start = end < 0 ? text.length : end + 1
  }
  return effects
}
