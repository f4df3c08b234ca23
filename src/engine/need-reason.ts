import { HapaxError } from '../errors/hapax-error.ts'
import type { Intent } from './api.ts'

/**
 * Whoever asks for a verb says why: it stays on record.
 *
 * @throws `reason_required`
 */
export function needReason(verb: string, intent: Intent): void {
  if (typeof intent?.reason !== 'string' || intent.reason.trim() === '')
    throw new HapaxError('reason_required', { verb })
}
