import { HapaxError } from '../errors/hapax-error.ts'
import type { Instant } from '../kit/clock.ts'
import { toMs } from '../kit/duration.ts'
import { parseTime } from '../kit/iso-time.ts'
import { type Given, usage } from './args.ts'
import type { Context } from './command.ts'

/** A time that a flag may hold: RFC 3339, or a span back from now. */
export function timeIn(context: Context, given: Given, flag: string): Instant | undefined {
  const text = given.text(flag)
  if (text === undefined) return undefined
  try {
    // A span is what the duration parser takes; whatever else is given, it refuses.
    return context.clock.now() - toMs(text as `${number}s`)
  } catch (error) {
    if (!(error instanceof HapaxError)) throw error
    const at = parseTime(text)
    if (at === undefined)
      throw usage(`--${flag} wants a time like 2026-01-31T09:00:00Z, or a span back from now like 2h`)
    return at
  }
}
