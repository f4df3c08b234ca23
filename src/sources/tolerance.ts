import type { Duration } from '../kit/duration.ts'

/** How far a signed timestamp may lie from the request's arrival, either way. */
export const toleranceDefault: Duration = '5m'

/**
 * A sender's timestamp in milliseconds, or undefined where it is not a plain whole number: `1e30`, ` 1`, `0x1` and `-1`
 * are no timestamps, though `Number` would take them.
 */
export function timestampMs(text: string, unit: 's' | 'ms' = 's'): number | undefined {
  if (!/^\d{1,15}$/.test(text)) return undefined
  return Number(text) * (unit === 's' ? 1_000 : 1)
}

/** Senders give whole seconds: an arrival within the second still counts, so both are compared as seconds. */
export function isStale(sentMs: number, receivedAtMs: number, toleranceMs: number, unit: 's' | 'ms' = 's'): boolean {
  const received = unit === 's' ? Math.floor(receivedAtMs / 1_000) * 1_000 : receivedAtMs
  return Math.abs(received - sentMs) > toleranceMs
}
