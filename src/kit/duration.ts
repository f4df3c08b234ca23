import { HapaxError } from '../errors/hapax-error.ts'

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A span of time: milliseconds as a number, or a number with its unit, like `'250ms'`, `'10s'`, `'5m'`, `'2h'`, `'7d'`. */
export type Duration = number | `${number}${keyof typeof unitsMs}`

/**
 * A duration in milliseconds.
 *
 * @throws `duration_invalid` for anything that is not a finite span of zero or more.
 * @example toMs('1.5h') // 5400000
 */
export function toMs(duration: Duration): number {
  const ms = durationMs(duration)
  if (ms === undefined) throw new HapaxError('duration_invalid', { found: shown(duration) })
  return ms
}

function shown(given: unknown): string {
  return typeof given === 'string' || typeof given === 'number' ? String(given) : `a ${typeof given}`
}

/** What may be a duration, in milliseconds; undefined where it is none. For what people write. */
export function durationMs(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(value))
  const unit = found?.[2]
  const ms =
    typeof value === 'number'
      ? value
      : unit && unit in unitsMs
        ? Number(found[1]) * unitsMs[unit as keyof typeof unitsMs]
        : Number.NaN
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined
}

/** A span for people: the largest unit that keeps it exact, like `'90s'`, `'2h'`. */
export function formatDuration(ms: number): string {
  for (const [unit, factor] of Object.entries(unitsMs).reverse()) {
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`
  }
  return `${ms}ms`
}
